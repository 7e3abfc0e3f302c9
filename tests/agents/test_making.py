from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan, accepts, parse_settings
from flagbench.errors import AgentError, ConfigError, UnknownNameError
from flagbench.registry import load_agent_class

BRIEFING = Briefing(preset="standard", train_text_kinds=frozenset())


@pytest.mark.parametrize(
    ("assignments", "params"),
    [
        ([], {}),
        (["width=3", "name=x"], {"width": 3, "name": "x"}),
        (["rate=1.0e-4"], {"rate": 1e-4}),
        (
            ["bars=[1, 2]", "empty=", "none=null", "yes=true"],
            {"bars": [1, 2], "empty": None, "none": None, "yes": True},
        ),
        (["ppo.gamma=0.5", "ppo.clip_coef=0.1", "x=1"], {"ppo": {"gamma": 0.5, "clip_coef": 0.1}, "x": 1}),
        (["ppo={gamma: 0.5}", "ppo.gamma=0.9"], {"ppo": {"gamma": 0.9}}),
        (["text=a=b"], {"text": "a=b"}),
        (["width=3", "width=4"], {"width": 4}),
    ],
)
def test_settings_are_read_as_yaml_into_groups(assignments: list[str], params: dict[str, Any]) -> None:
    assert parse_settings(assignments) == params


@pytest.mark.parametrize(
    ("assignments", "message"),
    [
        (["width"], "`--set width` is no assignment"),
        (["=3"], "`--set =3` is no assignment"),
        (["width={"], "`--set width={`: `{` is no YAML value"),
        (["ppo=3", "ppo.gamma=1"], "`--set ppo.gamma=1`: `ppo` was given a value before"),
    ],
)
def test_what_is_no_setting_is_refused(assignments: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_settings(assignments)
    assert caught.value.message == message


class Written:
    """Makes plans for agents that a test writes down, all in one file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "mine.py"

    def plan(
        self, signature: str, *, briefing: Briefing = BRIEFING, body: str = "", **params: Any
    ) -> AgentPlan:
        self._path.write_text(
            "from typing import Annotated, Literal\n"
            "from pydantic import Field\n"
            "class Mine:\n"
            f"    def __init__(self{signature}):\n"
            "        self.given = {k: v for k, v in locals().items() if k != 'self'}\n"
            "    def reset(self, seed): pass\n"
            "    def act(self, observation): return 1\n"
            f"{body}"
        )
        return AgentPlan(f"{self._path}:Mine", params, briefing)

    def given(self, signature: str, **params: Any) -> dict[str, Any]:
        """What the constructor was called with."""
        agent: Any = self.plan(signature, **params).make()
        given: dict[str, Any] = agent.given
        return given


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def test_params_reach_the_constructor_and_the_rest_keeps_its_default(written: Written) -> None:
    assert written.given(", width: int, depth: int = 2", width=5) == {"width": 5, "depth": 2}
    assert written.given(", *, name='x'", name="y") == {"name": "y"}


def test_the_plan_knows_all_params_before_the_agent_is_made(written: Written) -> None:
    assert written.plan(", width: int, depth: int = 2", width=5).params == {"width": 5, "depth": 2}


def test_values_are_converted_to_the_annotated_type(written: Written) -> None:
    given = written.given(", rate: float, bars: tuple[int, ...]", rate=1, bars=[1, 2])
    assert given == {"rate": 1.0, "bars": (1, 2)}
    assert isinstance(given["rate"], float)


def test_values_without_an_annotation_are_passed_as_they_are(written: Written) -> None:
    assert written.given(", anything", anything={"a": [1]}) == {"anything": {"a": [1]}}


@pytest.mark.parametrize(
    ("annotation", "value", "reason"),
    [
        ("int", "many", "Input should be a valid integer"),
        ("Literal['a', 'b']", "c", "Input should be 'a' or 'b'"),
        ("Annotated[int, Field(gt=0)]", 0, "Input should be greater than 0"),
        ("Annotated[float, Field(le=1)] | None", 2, "Input should be less than or equal to 1"),
        ("list[int]", [1, "x"], "Input should be a valid integer"),
    ],
)
def test_a_value_that_the_annotation_forbids_is_refused(
    written: Written, annotation: str, value: Any, reason: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        written.plan(f", width: {annotation}", width=value)
    assert f": `width`: {reason}" in caught.value.message
    assert caught.value.message.endswith(f", given {value!r}")


def test_a_default_that_its_annotation_forbids_is_the_agents_own_affair(written: Written) -> None:
    assert written.given(", width: int = None") == {"width": None}


def test_an_unknown_param_is_answered_with_the_nearest(written: Written) -> None:
    with pytest.raises(UnknownNameError) as caught:
        written.plan(", width: int = 1", widht=3)
    assert caught.value.message.endswith(":Mine` param `widht`")
    assert caught.value.hint == "did you mean `width`?"


def test_a_missing_param_is_named_with_the_flag_that_gives_it(written: Written) -> None:
    with pytest.raises(ConfigError, match="needs `width`") as caught:
        written.plan(", width: int")
    assert caught.value.hint == "add --set width=…"
    with pytest.raises(ConfigError, match="needs `backbone`") as caught:
        written.plan(", backbone: str")
    assert caught.value.hint == "add --set backbone=… or --backbone"


def test_an_agent_that_takes_any_param_is_given_them_all(written: Written) -> None:
    signature = ", *more, width: int, **others"
    assert written.given(signature, width="5", a=1) == {"width": 5, "more": (), "others": {"a": 1}}
    assert accepts(written.plan(signature, width=5).agent_class, "backbone")


def test_an_agent_may_inherit_from_the_interface(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from flagbench.agents.agent import Agent\n"
        "class Mine(Agent):\n"
        "    def reset(self, seed): pass\n"
        "    def act(self, observation): return 1\n"
    )
    assert AgentPlan(f"{path}:Mine", {}, BRIEFING).make() is not None


def test_annotations_that_cannot_be_read_are_reported(written: Written) -> None:
    with pytest.raises(AgentError, match="cannot be read: name 'Widht' is not defined"):
        written.plan(", width: 'Widht' = 3")


def test_a_param_of_a_type_that_no_setting_has_can_only_keep_its_default(written: Written) -> None:
    signature = ", lock: __import__('threading').Event = None"
    assert written.given(signature) == {"lock": None}
    with pytest.raises(AgentError, match=r"`lock` is annotated as .*Event.*, which no setting"):
        written.plan(signature, lock=1)


def test_a_constructor_that_fails_is_reported_with_its_cause(written: Written) -> None:
    plan = written.plan("", body="    def __init__(self): raise ValueError('no luck')\n")
    with pytest.raises(AgentError, match=r"failed in `__init__`: ValueError\('no luck'\)") as caught:
        plan.make()
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_param_that_only_the_constructor_can_judge_keeps_its_own_error() -> None:
    plan = AgentPlan("flag", {"backbone": "random", "ppo": {"learning_rate": -1}}, BRIEFING)
    with pytest.raises(ConfigError, match="--set ppo: `learning_rate`: Input should be greater than 0"):
        plan.make()


@pytest.mark.parametrize(("missing", "there"), [("act", "reset"), ("reset", "act")])
def test_a_class_that_is_no_agent_is_refused(tmp_path: Path, missing: str, there: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"class Mine:\n    {missing} = None\n    def {there}(self, x): return 1\n")
    with pytest.raises(AgentError, match=f"has no method `{missing}`"):
        AgentPlan(f"{path}:Mine", {}, BRIEFING)


def test_defaults_follow_the_task_and_the_user_goes_before_them(written: Written) -> None:
    body = (
        "    @classmethod\n"
        "    def defaults(cls, briefing):\n"
        "        return {'kind': briefing.preset, 'text': 'news' in briefing.train_text_kinds}\n"
    )
    briefing = Briefing(preset="paper", train_text_kinds=frozenset({"news"}))
    signature = ", kind: str, text: bool = False"
    assert written.plan(signature, briefing=briefing, body=body).params == {"kind": "paper", "text": True}
    plan = written.plan(signature, briefing=briefing, body=body, kind="mine")
    assert plan.params == {"kind": "mine", "text": True}


@pytest.mark.parametrize(("kinds", "prompt"), [((), "paper"), (("10k",), "paper"), (("news", "10k"), "news")])
def test_flag_reads_news_where_the_training_window_has_some(kinds: tuple[str, ...], prompt: str) -> None:
    briefing = Briefing(preset="paper", train_text_kinds=frozenset(kinds))
    plan = AgentPlan("flag", {"backbone": "random"}, briefing)
    assert (plan.params["prompt"], plan.params["preset"]) == (prompt, "paper")


@pytest.mark.parametrize("text", ["1e-4", "1.0e-4", "0.0001"])
def test_a_number_may_be_written_as_people_write_it(text: str) -> None:
    params = {"backbone": "random", **parse_settings([f"ppo.learning_rate={text}"])}
    agent: Any = AgentPlan("flag", params, BRIEFING).make()
    assert agent.params["ppo"]["learning_rate"] == 1e-4


def test_a_plan_states_the_class_and_the_hash_of_its_file(written: Written) -> None:
    plan = written.plan("")
    first = plan.source()
    assert first["object"] == "flagbench_agent_mine:Mine"
    assert first["sha256"] == sha256(Path(plan.name.removesuffix(":Mine")).read_bytes()).hexdigest()
    assert written.plan(", width=1").source()["sha256"] != first["sha256"]
    installed = AgentPlan("random", {}, BRIEFING).source()
    assert installed["object"] == "flagbench.baselines.random_action:RandomAction"


def test_an_agent_says_whether_it_takes_a_param() -> None:
    assert accepts(load_agent_class("flag"), "backbone")
    assert not accepts(load_agent_class("buy-and-hold"), "backbone")
