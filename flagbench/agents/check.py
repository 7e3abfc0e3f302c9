"""What every agent owes, whoever wrote it: the contract as checks that are run, each with what to do.

`flagbench check-agent` runs them for a user, tests/contracts/test_agents.py for all registered agents.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from flagbench.agents.agent import Agent, LanguageAgent, TrainableAgent, is_served
from flagbench.agents.bench import OTHER_SEED, Bench
from flagbench.errors import AgentError, FlagbenchError
from flagbench.trading.action import NAMES, Action

if TYPE_CHECKING:
    from flagbench.trading.observation import Observation

CHECKPOINT_FILES = {".safetensors", ".json"}
"""What a checkpoint may hold: nothing that runs code when it is read."""


class Finding(NamedTuple):
    """What one check came to."""

    name: str
    claim: str
    passed: bool
    found: str
    advice: str
    """What to do; empty where it passed."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return self._asdict()


class Broken(AgentError):  # noqa: N818 (it ends a check; nobody but `check_agent` sees it)
    """A promise that the agent does not keep; the message says what was found."""


class Check(NamedTuple):
    """One promise and how it is tested."""

    name: str
    claim: str
    advice: str
    run: Callable[[Bench], str]
    """Says what was found; raises `Broken` where the promise is not kept."""
    of: type = object
    """Only of agents of this kind."""
    first: bool = False
    """Without it nothing else can be tested."""


def checks_of(bench: Bench) -> list[Check]:
    """Those that apply to an agent."""
    return [check for check in CHECKS if issubclass(bench.agent_class, check.of)]


def check_agent(bench: Bench) -> Iterator[Finding]:
    """Test an agent, promise by promise; it stops early where the agent cannot even be built or trained.

    Args:
        bench: with the agent.
    """
    for check in checks_of(bench):
        try:
            finding = Finding(check.name, check.claim, True, check.run(bench), "")
        except FlagbenchError as error:
            finding = Finding(check.name, check.claim, False, error.message, error.hint or check.advice)
        yield finding
        if check.first and not finding.passed:
            return


def _built(bench: Bench) -> str:
    first, second = bench.made(), bench.made()
    if first is second:
        raise Broken("built twice, it is one object")
    params = bench.plan.params
    try:
        json.dumps(params, allow_nan=False)
    except (TypeError, ValueError):
        raise Broken(f"its params are no plain values: {params!r}"[:200]) from None
    return f"{len(params)} param" + "s" * (len(params) != 1)


def _trained(bench: Bench) -> str:
    budget, entrant = bench.setup.env_steps, bench.entrant
    summary = entrant.summary or {}
    steps = summary.get("env_steps")
    if not isinstance(steps, int) or not 0 < steps <= budget:
        raise Broken(f"`train` returned env_steps {steps!r} for a budget of {budget}")
    if entrant.steps != steps:
        raise Broken(f"`train` returned env_steps {steps}, the monitor was told of {entrant.steps}")
    try:
        json.dumps(summary, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Broken(f"what `train` returned is no JSON: {error}") from None
    return f"{steps} of {budget} steps"


def _answers(bench: Bench) -> str:
    path = bench.played(bench.entrant.agent)
    if path.unparsed:
        raise Broken(f"{path.unparsed} of {len(path.actions)} answers are no action")
    counts = [f"{np.sum(path.actions == action)} {NAMES[action]}" for action in Action]
    return f"{', '.join(counts)}; {path.redundant} of them change nothing"


def _repeats(bench: Bench) -> str:
    agent = bench.entrant.agent
    first = bench.played(agent).actions
    bench.played(agent, "train", seed=OTHER_SEED)
    _same(first, bench.played(agent).actions, "played a second time")
    return f"{len(first)} actions, played twice"


def _again(bench: Bench) -> str:
    other = bench.trained().agent
    for window in ("train", "test"):
        first = bench.played(bench.entrant.agent, window).actions
        _same(first, bench.played(other, window).actions, f"made anew, in the {window} window")
    return "both windows"


def _same(first: Any, second: Any, when: str) -> None:
    differing = np.flatnonzero(first != second)
    if differing.size:
        raise Broken(
            f"{when}, {differing.size} of {len(first)} actions differ, the first at bar {differing[0]}"
        )


def _only_looks(bench: Bench) -> str:
    agent = bench.entrant.agent

    def act(observation: "Observation") -> object:
        shown: dict[str, Any] = dict(observation)
        before = deepcopy(shown)
        answer = agent.act(observation)
        after: Mapping[str, Any] = dict(observation)
        if after.keys() != before.keys():
            raise Broken("the observation has other fields afterwards")
        for key, value in before.items():
            if after[key] is not shown[key] or not np.array_equal(after[key], value):
                raise Broken(f"the observation's `{key}` is another one afterwards")
        return answer

    bench.rolled(agent, act)
    return "every field as before"


def _bare(bench: Bench) -> str:
    bare = bench.ground.bare()
    path = bench.played(bench.trained(bare).agent, ground=bare)
    if path.unparsed:
        raise Broken(f"{path.unparsed} of {len(path.actions)} answers are no action")
    return f"{len(path.actions)} actions"


def _saved(bench: Bench, agent: Agent, folder: Path) -> list[Path]:
    assert isinstance(agent, TrainableAgent)  # noqa: S101 (for the type checker; `of` says so)
    with bench.watching("save"):
        agent.save(folder)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _restored(bench: Bench) -> str:
    agent = bench.entrant.agent
    with TemporaryDirectory() as name:
        files = _saved(bench, agent, Path(name))
        if not files:
            raise Broken("`save` wrote nothing")
        other = sorted({path.suffix for path in files} - CHECKPOINT_FILES)
        if other:
            raise Broken(f"`save` wrote files of the kinds {', '.join(other)}")
        loaded: Any = bench.made()
        with bench.watching("load"):
            loaded.load(Path(name))
        for window in ("train", "test"):
            first = bench.played(agent, window).actions
            _same(first, bench.played(loaded, window).actions, f"loaded, in the {window} window")
        return ", ".join(path.name for path in files)


def _learns(bench: Bench) -> str:
    steps = bench.setup.env_steps
    longer = bench.trained(setup=bench.setup.model_copy(update={"env_steps": 2 * steps}))
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        kept = [
            _weights(_saved(bench, agent, Path(folder)))
            for agent, folder in ((bench.entrant.agent, one), (longer.agent, two))
        ]
    if kept[0] == kept[1]:
        raise Broken(f"after {steps} and after {2 * steps} steps it saves the same")
    return f"what it saves after {steps} and after {2 * steps} steps differs"


def _weights(files: list[Path]) -> list[bytes]:
    """What the tensors' files hold; of all files where there are no tensors."""
    tensors = [path for path in files if path.suffix == ".safetensors"]
    return [path.read_bytes() for path in tensors or files]


def _speaks(bench: Bench) -> str:
    import torch

    agent = bench.entrant.agent
    if is_served(agent):
        return "its model answers on a server and is not at hand"
    assert isinstance(agent, LanguageAgent)  # noqa: S101 (for the type checker; `of` says so)
    before = bench.played(agent).actions
    with bench.watching("language_model"):
        model, tokenizer = agent.language_model()
        if agent.language_model()[0] is not model:
            raise Broken("asked twice, it hands over two models")
        ids = torch.tensor([tokenizer.encode("What is a share?")])
        with torch.no_grad():
            logits = model(ids.to(model.device)).logits
    if logits.shape[:2] != ids.shape or not torch.isfinite(logits).all():
        raise Broken(f"its model answers {tuple(ids.shape)} tokens with logits of {tuple(logits.shape)}")
    _same(before, bench.played(agent).actions, "after it was asked for its model")
    return f"a vocabulary of {logits.shape[2]}"


def _tidy(bench: Bench) -> str:
    if bench.printed:
        raise Broken(f"it printed on stdout: {bench.printed.splitlines()[0][:60]!r}")
    if bench.moved_to is not None:
        raise Broken(f"it changed the working directory to {bench.moved_to}")
    if bench.threads_left:
        raise Broken(f"it left threads running: {', '.join(bench.threads_left)}")
    return "nothing printed, no thread left, same folder"


CHECKS = (
    Check(
        name="built",
        claim="it is built, again and again, from params that are plain values",
        advice="give every argument of the constructor a default that JSON can hold; share nothing",
        run=_built,
        first=True,
    ),
    Check(
        name="trained",
        claim="its training keeps to the budget and says in plain values what it took",
        advice="stop at setup.env_steps, tell monitor.advance of every step, return {'env_steps': …}",
        run=_trained,
        of=TrainableAgent,
        first=True,
    ),
    Check(
        name="answers",
        claim="every answer is an action",
        advice="return 0 to sell, 1 to hold, 2 to buy, as an int, whatever the observation holds",
        run=_answers,
    ),
    Check(
        name="repeats",
        claim="the same seed gives the same actions, whatever was played before",
        advice="let `reset` forget the last episode, and draw all chance from its seed",
        run=_repeats,
    ),
    Check(
        name="again",
        claim="built, and trained if it learns, anew from the same seed it acts the same",
        advice="keep nothing in the class or module; draw all chance from the seed, not from the clock",
        run=_again,
    ),
    Check(
        name="looks",
        claim="it changes nothing of the observation that it is shown",
        advice="copy an array before you change it: observation['window'].copy()",
        run=_only_looks,
    ),
    Check(
        name="bare",
        claim="it works where one bar is shown, with neither volume nor text",
        advice="count on no length of `window` or `text`; volume that is missing is 0",
        run=_bare,
    ),
    Check(
        name="restored",
        claim="loaded from its checkpoint it acts the same, and the checkpoint runs no code",
        advice="write all that `act` needs, tensors as safetensors, the rest as JSON",
        run=_restored,
        of=TrainableAgent,
    ),
    Check(
        name="learns",
        claim="training changes what it saves",
        advice="look whether the optimiser steps; if it learns later only, give it --env-steps",
        run=_learns,
        of=TrainableAgent,
    ),
    Check(
        name="speaks",
        claim="its language model reads tokens, and to ask for it changes nothing",
        advice="return one causal language model with its own head, and its tokenizer",
        run=_speaks,
        of=LanguageAgent,
    ),
    Check(
        name="tidy",
        claim="it prints nothing on stdout and leaves the process as it was",
        advice="print to sys.stderr; undo os.chdir; join threads before a method returns",
        run=_tidy,
    ),
)
