import json
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from flagbench.agents.agent import Briefing, LanguageAgent, MeteredAgent, is_served
from flagbench.agents.answer import OPENING
from flagbench.agents.examples import examples_text
from flagbench.agents.making import AgentPlan
from flagbench.agents.prompt import STATIC, PromptWriter
from flagbench.errors import AgentError, ConfigError, UnknownNameError
from flagbench.experiment import SilentRun, run_seed
from flagbench.learning.backbone import load_backbone
from flagbench.market.market import Market
from flagbench.market.text_file import TextItem
from flagbench.planning import RunSpec, plan
from flagbench.records.run_record import read_record
from flagbench.trading.action import UNPARSED, Action
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import load_protocol
from flagbench.trading.rollout import rollout

if TYPE_CHECKING:
    from flagbench.trading.observation import Observation
    from tests.conftest import ChatServer, MarketFactory

NAME = f"{Path(__file__).parents[2] / 'baselines' / 'prompted_llm.py'}:PromptedLLM"
PROTOCOL = load_protocol("standard")
NEWS = Briefing(preset="standard", train_text_kinds=frozenset({"news"}))
QUIET = Briefing(preset="standard", train_text_kinds=frozenset({"filing"}))
KEY = "sk-this-stays-at-home"
ORDER = (Action.SELL, Action.HOLD, Action.BUY)


def made(briefing: Briefing = NEWS, **params: Any) -> Any:
    return AgentPlan(NAME, params, briefing).make()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def market(synthetic_market: "MarketFactory") -> Market:
    """40 bars with news: 8 of history, 16 to train on, 16 to test on."""
    moves = np.random.default_rng(7).normal(1, 0.02, 40)
    dates = np.busday_offset("2020-01-01", np.arange(40), roll="forward").astype("datetime64[D]")
    text = [
        TextItem(str(day), "news", f"The outlook of day {index} is bright.")
        for index, day in enumerate(dates)
    ]
    return synthetic_market((100 * np.cumprod(moves)).tolist(), text=text)


@pytest.fixture(scope="module")
def env(market: Market) -> TradingEnv:
    protocol = PROTOCOL.model_copy(update={"lookback": 5})
    return TradingEnv(market, protocol, market.asset.windows.test)


@pytest.fixture(scope="module")
def observation(env: TradingEnv) -> "Observation":
    """Long, on the third bar of the test window."""
    env.reset(seed=0)
    env.step(Action.BUY)
    seen, *_ = env.step(Action.HOLD)
    assert seen["mask"].tolist() == [1, 1, 0]
    return seen


# A local model


@torch.no_grad()
def plain_log_probs(prompt: str) -> dict[Action, float]:
    """Of the three words behind a prompt, from transformers alone: text in, one forward pass."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(files("flagbench") / "learning" / "embedded")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    ids = torch.tensor([tokenizer(prompt, add_special_tokens=False)["input_ids"]])
    log_probs = torch.log_softmax(model(ids).logits[0, -1].double(), dim=-1)
    words = {Action.SELL: "Sell", Action.HOLD: "Hold", Action.BUY: "Buy"}
    tokens = {
        action: tokenizer(word, add_special_tokens=False)["input_ids"] for action, word in words.items()
    }
    assert all(len(ids) == 1 for ids in tokens.values())
    return {action: float(log_probs[ids[0]]) for action, ids in tokens.items()}


def test_by_log_probability_it_says_what_plain_transformers_say(
    observation: "Observation", monkeypatch: pytest.MonkeyPatch
) -> None:
    from flagbench.learning import continuations

    seen: list[Any] = []
    original = continuations.continuation_log_probs

    def watched(*arguments: Any) -> list[float]:
        result = original(*arguments)
        seen.append((arguments[1], result))
        return result

    monkeypatch.setattr(continuations, "continuation_log_probs", watched)
    agent = made()
    agent.reset(0)
    action = agent.act(observation)
    ((prompt, log_probs),) = seen
    tokenizer = agent.language_model()[1]
    expected = plain_log_probs(tokenizer.decode(prompt))
    assert log_probs == pytest.approx([expected[Action.SELL], expected[Action.HOLD]], abs=1e-5)
    assert action == max((Action.SELL, Action.HOLD), key=lambda one: expected[one])
    assert agent.usage["asked"] == {"answers": 1, "prompt_tokens": len(prompt), "completion_tokens": 0}
    assert agent.usage["models"] == [f"sha256:{load_backbone('embedded', seed=0).sha256}"]


def test_its_prompt_is_that_of_flag(observation: "Observation") -> None:
    agent = made()
    agent.act(observation)
    backbone = load_backbone("embedded", seed=0)
    writer = PromptWriter(backbone.tokenizer, variant="news", max_tokens=backbone.max_tokens, text_share=0.5)
    assert agent._reached().prompt(observation) == writer.write(observation).tokens


def test_examples_stand_between_static_part_and_state(observation: "Observation") -> None:
    agent, bare = made(shots=2), made()
    tokenizer = agent.language_model()[1]
    text = tokenizer.decode(agent._reached().prompt(observation))
    assert text == tokenizer.decode(bare._reached().prompt(observation)).replace(
        STATIC, STATIC + examples_text(2)
    )
    assert text.count("Example:") == 2


def test_examples_take_their_room_from_the_prompt(observation: "Observation") -> None:
    agent = made(shots=4, max_prompt_tokens=900)
    assert len(agent._reached().prompt(observation)) <= 900
    with pytest.raises(ConfigError, match="the shortest prompt has"):
        made(shots=4, max_prompt_tokens=400).act(observation)


def test_it_never_takes_what_the_mask_forbids_and_the_same_seed_plays_the_same(env: TradingEnv) -> None:
    agent = made(backbone="random", max_prompt_tokens=300)
    paths = []
    for seed in (5, 6, 5):
        agent.reset(seed)
        paths.append(rollout(agent.act, env, seed=seed))
    assert [(path.redundant, path.unparsed) for path in paths] == [(0, 0)] * 3
    assert paths[0].actions.tolist() == paths[2].actions.tolist()
    assert agent.usage["asked"]["answers"] == 3 * len(paths[0].actions)


def test_by_json_it_reads_what_the_model_writes(observation: "Observation") -> None:
    agent = made(by="json", max_answer_tokens=8)
    action = agent.act(observation)
    model, tokenizer = agent.language_model()
    prompt = torch.tensor([agent._reached().prompt(observation)])
    with torch.no_grad():
        whole = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=8, do_sample=False, use_cache=True
        )
    written = OPENING + tokenizer.decode(whole[0, prompt.shape[1] :], skip_special_tokens=True)
    assert written in {f'{OPENING}{word}"}}' for word in ("Sell", "Hold", "Buy")}
    assert action == ORDER[["Sell", "Hold", "Buy"].index(json.loads(written)["Action"])]
    assert 2 <= agent.usage["asked"]["completion_tokens"] <= 3


def test_what_is_no_answer_keeps_the_position_and_is_counted(env: TradingEnv) -> None:
    agent = made(backbone="random", by="json", max_prompt_tokens=300, max_answer_tokens=4)
    agent.reset(0)
    path = rollout(agent.act, env, seed=0)
    assert path.unparsed == len(path.actions)
    assert set(path.actions.tolist()) == {UNPARSED}


def test_its_model_can_be_asked_what_it_knows() -> None:
    agent = made()
    agent.reset(0)
    assert isinstance(agent, LanguageAgent)
    assert isinstance(agent, MeteredAgent)
    assert not is_served(agent)
    assert agent.language_model()[0] is agent.language_model()[0]


# Params


def test_text_is_read_where_the_training_window_has_news() -> None:
    assert made(NEWS).params["prompt"] == "news"
    assert made(QUIET).params["prompt"] == "paper"
    assert made(NEWS, prompt="paper").params["prompt"] == "paper"


def test_what_cannot_change_an_answer_is_no_part_of_its_params() -> None:
    others: dict[str, Any] = {
        "tries": 9,
        "pause": 0.5,
        "timeout": 3,
        "cache": "none",
        "price_in": 1,
        "price_out": 2,
    }
    assert made(**others).params == made().params
    assert made(shots=1).params != made().params


def test_every_param_and_every_count_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs" / "baselines.md").read_text(encoding="utf-8")
    names = {*AgentPlan(NAME, {}, NEWS).params, *made().usage, *made().usage["asked"]}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


SERVED = {"endpoint": "http://127.0.0.1:1/v1", "model": "toy"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": "toy"}, "there is no endpoint"),
        ({"endpoint": SERVED["endpoint"]}, "an endpoint needs a model"),
        ({**SERVED, "backbone": "random"}, "backbone `random` and an endpoint were given"),
        ({**SERVED, "endpoint": "localhost"}, "`endpoint` is no http address"),
        ({**SERVED, "api_key_variable": "NO_SUCH_KEY"}, "the environment variable NO_SUCH_KEY holds no key"),
        ({"by": "chance"}, "`by`: Input should be 'logprob' or 'json'"),
        ({"shots": 5}, "`shots`: Input should be less than or equal to 4"),
        ({"tries": 0}, "`tries`: Input should be greater than 0"),
        ({"price_in": -1}, "`price_in`: Input should be greater than or equal to 0"),
    ],
)
def test_settings_that_do_not_fit_are_refused_at_once(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message.replace("`", ".")):
        made(**params)
    with pytest.raises(UnknownNameError):
        made(endpiont="x")


# A served model


def served(server: "ChatServer", tmp_path: Path, **params: Any) -> Any:
    given = {"endpoint": server.endpoint, "model": "toy", "tries": 2, "pause": 0.001, "cache": str(tmp_path)}
    return made(**{**given, **params})


def test_a_served_model_is_given_the_same_prompt_as_text(
    chat_server: "ChatServer", observation: "Observation", tmp_path: Path
) -> None:
    local = made(shots=1)
    tokenizer = local.language_model()[1]
    agent = served(chat_server, tmp_path, by="json", shots=1)
    agent.reset(11)
    assert agent.act(observation) == Action.HOLD
    (asked,) = chat_server.asked
    (message,) = asked["messages"]
    assert asked["seed"] == 11
    assert message["content"] + OPENING in tokenizer.decode(local._reached().prompt(observation)).replace(
        "<|im_end|>\n<|im_start|>assistant\n", ""
    )
    assert "logprobs" not in asked
    assert is_served(agent)
    with pytest.raises(AgentError, match="`toy` stands behind a server"):
        agent.language_model()


def test_of_a_served_model_the_likeliest_valid_action_is_taken(
    chat_server: "ChatServer", observation: "Observation", tmp_path: Path
) -> None:
    chat_server.alternatives = {"Hold": {"Buy": -0.1, "Hold": -3.0, "Sell": -2.9}}
    agent = served(chat_server, tmp_path)
    assert agent.act(observation) == Action.SELL  # long: a buy is not allowed
    chat_server.alternatives = {"Hold": {"Buy": -0.1, "Wait": -2.0}}
    agent.reset(1)
    assert agent.act(observation) == UNPARSED


@pytest.mark.parametrize("text", ["I would buy.", '{"Action": "buy"}', "", '{"Action": "Buy"} or "Sell"'])
def test_nonsense_of_a_server_is_never_read_as_a_choice(
    chat_server: "ChatServer", observation: "Observation", tmp_path: Path, text: str
) -> None:
    chat_server.tokens = [text]
    assert served(chat_server, tmp_path, by="json").act(observation) == UNPARSED
    chat_server.alternatives = {text: {text: -0.1}}
    if text != '{"Action": "Buy"} or "Sell"':
        assert served(chat_server, tmp_path).act(observation) == UNPARSED


# A whole run


@pytest.fixture
def spec(tmp_path: Path, chat_server: "ChatServer", monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    """A run of a served model over 60 weekday bars; a key is set, and a trouble is passed."""
    monkeypatch.setenv("FLAGBENCH_API_KEY", KEY)
    dates = np.busday_offset("2020-01-01", np.arange(60), roll="forward").astype("datetime64[D]")
    rows = [f"{day},10,12,9,{10 + index % 3}" for index, day in enumerate(dates)]
    (tmp_path / "TOY.csv").write_text("\n".join(["date,open,high,low,close", *rows]) + "\n")
    settings = {
        "endpoint": chat_server.endpoint,
        "model": "toy",
        "by": "json",
        "cache": tmp_path / "cache",
        "pause": 0.001,
        "price_in": 2.0,
        "price_out": 10.0,
    }
    from flagbench.market.period import Period

    return RunSpec(
        agent=NAME,
        asset=str(tmp_path / "TOY.csv"),
        train=Period.of(dates[20].item(), dates[29].item()),
        test=Period.of(dates[40].item(), dates[49].item()),
        settings=tuple(f"{name}={value}" for name, value in settings.items()),
        out=tmp_path / "runs",
    )


def run(spec: RunSpec) -> Any:
    folder = run_seed(plan(spec), 0, SilentRun())
    assert folder is not None
    return read_record(folder)


def test_a_run_records_what_answers_came_to_and_asks_nothing_twice(
    spec: RunSpec, chat_server: "ChatServer", tmp_path: Path
) -> None:
    from tests.conftest import Fault

    chat_server.spoil(Fault(status=503), Fault(body=b"nonsense"))
    chat_server.tokens = ['{"Action": "Buy"}']
    first, second = run(spec), run(spec)
    # Nine decisions in each window.
    assert first.usage == {
        "asked": {"answers": 18, "prompt_tokens": 1800, "completion_tokens": 108},
        "cached": {"answers": 0, "prompt_tokens": 0, "completion_tokens": 0},
        "uncounted": 0,
        "retries": 2,
        "cost": pytest.approx((1800 * 2 + 108 * 10) / 1_000_000),
        "models": ["toy-1.5"],
        "price_in": 2.0,
        "price_out": 10.0,
        "prompts": {
            "prompts": 18,
            "text_items": 0,
            "text_dropped": 0,
            "text_cut": 0,
            "closes_dropped": 0,
            "history_dropped": 0,
        },
    }
    assert len(chat_server.asked) == 20
    assert second.usage["asked"]["answers"] == second.usage["cost"] == second.usage["retries"] == 0
    assert second.usage["cached"] == first.usage["asked"]
    assert second.actions_sha256 == first.actions_sha256
    assert first.knowledge is None
    assert str(tmp_path) not in json.dumps(first.params)
    assert (first.setup, first.training) == (None, None)
    assert set(chat_server.keys) == {f"Bearer {KEY}"}
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) > 20
    assert not [path for path in written if KEY.encode() in path.read_bytes()]


def test_a_server_that_fails_ends_the_run_and_leaves_no_seed_behind(
    spec: RunSpec, chat_server: "ChatServer", tmp_path: Path
) -> None:
    from tests.conftest import Fault

    chat_server.spoil(Fault(status=500, body=b'{"error": {"message": "no memory"}}'), times=6)
    with pytest.raises(
        AgentError, match=r"was asked for a completion by `toy`.*500.*no memory \(6 tries\)"
    ) as caught:
        run(spec)
    assert "answers that came are kept" in caught.value.hint
    assert not list((tmp_path / "runs").rglob("record.json"))
    assert "FLAGBENCH_API_KEY" in os.environ
