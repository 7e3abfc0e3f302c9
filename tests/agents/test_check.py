"""Each check finds the agent that breaks its promise, and lets one that keeps them all pass."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from flagbench.agents.bench import Bench, Ground
from flagbench.agents.check import CHECKS, Finding, check_agent, checks_of
from flagbench.agents.training import Setup
from flagbench.errors import AgentError, UnknownNameError
from flagbench.market.text_file import TextItem
from flagbench.trading.protocol import load_protocol

if TYPE_CHECKING:
    from accelerate import Accelerator

    from tests.conftest import MarketFactory

AGENTS = '''
import json, os, sys, threading, time
from itertools import count
import numpy as np

class Good:
    """Draws from its seed, and keeps its promises."""
    def __init__(self, share: float = 0.5): self.share = share
    def reset(self, seed): self.random = np.random.default_rng(seed)
    def act(self, observation): return 2 if self.random.random() < self.share else 0

class Odd(Good):
    def __init__(self, share=len): super().__init__(0.5)

class Single(Good):
    one = None
    def __new__(cls):
        cls.one = cls.one or super().__new__(cls)
        return cls.one
    def __init__(self): super().__init__(0.5)

class Raises(Good):
    def __init__(self): raise ValueError("no luck")

class Leaves(Good):
    def __init__(self): sys.exit(0)

class Wordy(Good):
    def act(self, observation): return "buy"

class Crashes(Good):
    def act(self, observation): return observation["close"]

class Remembers(Good):
    steps = 0
    def act(self, observation):
        self.steps += 1
        return 2 if self.steps % 7 == 0 else 0

class Aged(Good):
    age = count()
    def __init__(self): self.shift = 2 * (next(self.age) % 2)
    def act(self, observation): return self.shift

class Scribbles(Good):
    def act(self, observation):
        observation["window"][0, 0] = 0
        return 1

class Swaps(Good):
    def act(self, observation):
        observation["mask"] = observation["mask"].copy()
        return 1

class Adds(Good):
    def act(self, observation):
        observation["note"] = 1
        return 1

class Wants5(Good):
    def act(self, observation): return int(observation["window"][-5, 3] > 0)

class WantsNews(Good):
    def act(self, observation): return 2 * (observation["text"][0].kind == "news")

class Talks(Good):
    def act(self, observation):
        print("buy!")
        return 1

class Wanders(Good):
    def act(self, observation):
        os.chdir("/")
        return 1

class Spins(Good):
    def __init__(self): threading.Thread(target=time.sleep, args=(10,), name="spinner").start()
    def act(self, observation): return 1

class Learner:
    """Learns the sum of rewards of one random episode after the other."""
    name, take = "weights.json", 1
    def __init__(self): self.sum, self.buys = 0.0, False
    def reset(self, seed): pass
    def act(self, observation): return 2 if self.buys else 1
    def train(self, make_envs, *, setup, seed, accelerator, monitor):
        envs, random, steps = make_envs(setup.num_envs), np.random.default_rng(seed), 0
        envs.reset(seed=seed)
        while steps < self.take * setup.env_steps:
            _, rewards, *_ = envs.step(random.integers(0, 3, setup.num_envs))
            self.sum += float(rewards.sum())
            steps += setup.num_envs
            monitor.advance(setup.num_envs)
        self.buys = True
        return {"env_steps": steps}
    def save(self, folder): (folder / self.name).write_text(json.dumps([self.sum, self.buys]))
    def load(self, folder): self.sum, self.buys = json.loads((folder / self.name).read_text())

class Spends(Learner):
    take = 2

class Hushed(Learner):
    def train(self, *args, monitor, **kwargs):
        class Deaf:
            def advance(self, steps): pass
        return super().train(*args, monitor=Deaf(), **kwargs)

class Silent(Learner):
    def train(self, *args, **kwargs):
        super().train(*args, **kwargs)
        return {}

class NotJson(Learner):
    def train(self, *args, **kwargs): return {**super().train(*args, **kwargs), "loss": float("nan")}

class Fails(Learner):
    def train(self, *args, **kwargs): raise RuntimeError("out of memory")

class Pickles(Learner):
    name = "weights.pkl"

class Saveless(Learner):
    def save(self, folder): pass

class Forgets(Learner):
    def load(self, folder): pass

class Stubborn(Learner):
    def save(self, folder): (folder / self.name).write_text(json.dumps([0, self.buys]))
'''

READERS = """
from flagbench.learning.backbone import load_backbone

class Reads:
    model = None
    def reset(self, seed): pass
    def act(self, observation): return 1
    def language_model(self):
        self.model = self.model or load_backbone("random", seed=0)
        return self.model.model, self.model.tokenizer

class Twofold(Reads):
    def language_model(self):
        self.model = None
        return super().language_model()
"""


@pytest.fixture(scope="module")
def ground(synthetic_market: "MarketFactory") -> Ground:
    """60 bars with news on each."""
    moves = np.random.default_rng(7).normal(1, 0.02, 60)
    dates = np.busday_offset("2020-01-01", np.arange(60), roll="forward").astype("datetime64[D]")
    text = [TextItem(str(day), "news", "Something happened.") for day in dates]
    return Ground(
        synthetic_market((100 * np.cumprod(moves)).tolist(), text=text),
        load_protocol("standard").model_copy(update={"lookback": 10}),
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agents") / "entrants.py"
    path.write_text(AGENTS)
    path.with_name("readers.py").write_text(READERS)
    return path


def begin(setup: Setup, *, seed: int) -> "Accelerator":
    from flagbench.learning.start import start

    return start(setup, seed=seed)


def bench_of(name: str, ground: Ground, **params: Any) -> Bench:
    setup = Setup(env_steps=8, num_envs=2)
    return Bench(name, params, ground=ground, setup=setup, start=begin)


def broken(name: str, ground: Ground) -> dict[str, Finding]:
    """Findings of the checks that fail."""
    return {each.name: each for each in check_agent(bench_of(name, ground)) if not each.passed}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["Good", "Learner"])
def test_an_agent_that_keeps_every_promise_passes(file: Path, ground: Ground, name: str) -> None:
    bench = bench_of(f"{file}:{name}", ground)
    findings = list(check_agent(bench))
    assert [each for each in findings if not each.passed] == []
    assert [each.name for each in findings] == [check.name for check in checks_of(bench)]
    assert all(each.found and not each.advice for each in findings)


@pytest.mark.parametrize(
    ("name", "failing", "found"),
    [
        ("Odd", "built", "its params are no plain values: {'share': <built-in function len>}"),
        ("Single", "built", "built twice, it is one object"),
        ("Raises", "built", "failed in `__init__`: ValueError('no luck')"),
        ("Leaves", "built", "failed in `__init__`: SystemExit(0)"),
        ("Wordy", "answers", "23 of 23 answers are no action"),
        ("Crashes", "answers", "the agent failed after the bar of 2020-02-20: KeyError('close')"),
        ("Remembers", "repeats", "played a second time, 7 of 23 actions differ, the first at bar "),
        ("Aged", "again", "made anew, in the train window, 23 of 23 actions differ, the first at bar 0"),
        ("Scribbles", "looks", "the observation's `window` is another one afterwards"),
        ("Swaps", "looks", "the observation's `mask` is another one afterwards"),
        ("Adds", "looks", "the observation has other fields afterwards"),
        ("Wants5", "bare", "IndexError('index -5 is out of bounds for axis 0 with size 1')"),
        ("WantsNews", "bare", "IndexError('tuple index out of range')"),
        ("Talks", "tidy", "it printed on stdout: 'buy!'"),
        ("Wanders", "tidy", "it changed the working directory to /"),
        ("Spends", "trained", "`train` returned env_steps 16 for a budget of 8"),
        ("Hushed", "trained", "`train` returned env_steps 8, the monitor was told of 0"),
        ("Silent", "trained", "`train` returned env_steps None for a budget of 8"),
        ("NotJson", "trained", "what `train` returned is no JSON: Out of range float values"),
        ("Fails", "trained", "failed in `train`: RuntimeError('out of memory')"),
        ("Pickles", "restored", "`save` wrote files of the kinds .pkl"),
        ("Saveless", "restored", "`save` wrote nothing"),
        ("Forgets", "restored", "loaded, in the train window, 23 of 23 actions differ"),
        ("Stubborn", "learns", "after 8 and after 16 steps it saves the same"),
    ],
)
def test_a_promise_that_is_broken_is_found(
    file: Path, ground: Ground, name: str, failing: str, found: str
) -> None:
    finding = broken(f"{file}:{name}", ground)[failing]
    assert found in finding.found
    assert finding.advice


@pytest.mark.parametrize("name", ["Talks", "Wanders", "Scribbles", "Stubborn", "Forgets"])
def test_one_fault_fails_one_check(file: Path, ground: Ground, name: str) -> None:
    assert len(broken(f"{file}:{name}", ground)) == 1


def test_a_thread_that_is_left_running_is_found(file: Path, ground: Ground) -> None:
    failed = broken(f"{file}:Spins", ground)
    assert failed.keys() == {"tidy"}
    assert failed["tidy"].found.startswith("it left threads running: spinner")


@pytest.mark.parametrize("name", ["Raises", "Fails"])
def test_an_agent_that_cannot_be_built_or_trained_is_asked_nothing_else(
    file: Path, ground: Ground, name: str
) -> None:
    bench = bench_of(f"{file}:{name}", ground)
    findings = list(check_agent(bench))
    assert not findings[-1].passed
    assert len(findings) < len(checks_of(bench))


def test_a_language_model_is_one_and_reads_tokens(file: Path, ground: Ground) -> None:
    readers = file.with_name("readers.py")
    assert broken(f"{readers}:Reads", ground) == {}
    failed = broken(f"{readers}:Twofold", ground)
    assert failed.keys() == {"speaks"}
    assert failed["speaks"].found == "asked twice, it hands over two models"


def test_params_reach_the_agent(file: Path, ground: Ground) -> None:
    actions = [
        set(bench.played(bench.made()).actions.tolist())
        for bench in (bench_of(f"{file}:Good", ground, share=share) for share in (0.0, 1.0))
    ]
    assert actions == [{0}, {2}]


def test_a_class_or_param_that_is_not_there_is_no_finding_but_an_error(file: Path, ground: Ground) -> None:
    with pytest.raises(UnknownNameError, match="unknown class in"):
        bench_of(f"{file}:Godo", ground)
    with pytest.raises(UnknownNameError, match="param `bars`"):
        bench_of(f"{file}:Good", ground, bars=3)
    file.with_name("half.py").write_text("class Half:\n    def reset(self, seed): pass\n")
    with pytest.raises(AgentError, match="has no method `act`"):
        bench_of(f"{file.with_name('half.py')}:Half", ground)


def test_the_bare_ground_shows_neither_text_nor_volume(ground: Ground) -> None:
    bare = ground.bare()
    assert bare.protocol.lookback == 1
    assert bare.market.text == ()
    assert np.isnan(bare.market.bars[:, 4]).all()
    assert np.array_equal(bare.market.bars[:, :4], ground.market.bars[:, :4])


def test_every_check_has_a_name_a_claim_and_advice_of_its_own() -> None:
    for column in ("name", "claim", "advice"):
        texts = [getattr(check, column) for check in CHECKS]
        assert all(texts)
        assert len(set(texts)) == len(texts)
