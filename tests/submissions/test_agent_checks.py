"""What a submission says of its agent is held against the agent's class."""

from typing import TYPE_CHECKING, Any

import pytest

from flagbench.agents.agent import Briefing
from flagbench.agents.making import AgentPlan
from flagbench.submissions.agent_checks import Difference, differences_after, differences_before
from flagbench.submissions.submission import AgentClaim, Submission
from tests.submissions.desk import Desk

if TYPE_CHECKING:
    from tests.submissions.conftest import Prepared

SETUP = {"env_steps": 32, "num_envs": 2, "mixed_precision": "auto", "gradient_accumulation_steps": 1}


@pytest.fixture(scope="module")
def claim(prepared: "Prepared") -> AgentClaim:
    """Of the random agent."""
    text = (prepared.folder / "submission.json").read_text()
    return Submission.model_validate_json(text).agent


def said(desk: Desk, **agent: Any) -> list[tuple[str, str, str]]:
    """What is wrong with what is said of the agent, when some of it is changed."""
    desk.edit(lambda manifest: manifest["agent"].update(agent))
    found = [
        each for each in desk.failures("submission.json") if each.what.startswith(("agent", "card.name"))
    ]
    assert all(each.line is not None and each.line > 1 for each in found)
    return [(each.what, each.found, each.expected) for each in found]


def test_the_oracle_is_not_ranked_by_saying_so(desk: Desk) -> None:
    desk.edit(lambda manifest: manifest["card"].update(name="clever"))
    assert said(desk, name="oracle", ranked=True) == [("agent.ranked", "True", "False")]


def test_what_does_not_learn_has_no_set_up_and_what_learns_has_one(desk: Desk) -> None:
    desk.edit(lambda manifest: manifest["card"].update(name="mine"))
    assert said(desk, setup=SETUP) == [("agent.setup", "a set-up", "null: it does not learn")]
    assert said(desk, name="dqn", setup=None) == [("agent.setup", "nothing", "a set-up: it learns")]
    assert said(desk, setup=SETUP) == []


def test_a_language_model_is_not_left_out(desk: Desk) -> None:
    desk.edit(lambda manifest: manifest["card"].update(name="mine"))
    expected = "a backbone: `flag` has a language model"
    assert said(desk, name="flag", setup=SETUP) == [("agent.params", "no backbone", expected)]
    backbone = {"name": "embedded", "cutoff": "undated", "licence": "Apache-2.0"}
    desk.edit(lambda manifest: manifest["card"].update(backbone=backbone))
    found = said(desk, params={"backbone": "embedded"})
    assert found == [], "its knowledge is missed then, which is said of the runs"


def test_no_agent_is_called_by_the_name_of_another_that_ships(desk: Desk) -> None:
    desk.edit(lambda manifest: manifest["card"].update(name="tone-rule"))
    (found,) = said(desk)
    assert found == ("card.name", "tone-rule", "`random`, which ran, or a name that no agent has that ships")
    (found,) = said(desk, name="mine.py:Mine")
    assert found[2].startswith("a name of its own")


def test_an_agent_that_is_the_claimed_one_differs_in_nothing(claim: AgentClaim) -> None:
    plan = AgentPlan("random", {}, Briefing(preset="standard", train_text_kinds=frozenset()))
    assert list(differences_before(plan, claim)) == []
    assert list(differences_after(claim.params, claim, "TSLA")) == []


def test_every_difference_is_named(claim: AgentClaim) -> None:
    plan = AgentPlan("oracle", {}, Briefing(preset="standard", train_text_kinds=frozenset()))
    source, *others = differences_before(plan, claim)
    assert source == Difference("source", plan.source()["sha256"], claim.source_sha256)
    assert others == [
        Difference("class", "Oracle", "RandomAction"),
        Difference("ranked", here=False, claimed=True),
    ]
    (learns,) = list(differences_before(plan, claim.model_copy(update={"setup": SETUP})))[3:]
    assert learns == Difference("whether it learns", here=False, claimed=True)


def test_params_are_held_against_those_of_the_asset(claim: AgentClaim) -> None:
    own = claim.model_copy(
        update={"params": {"bars": 21, "kind": "a"}, "asset_params": {"BTC": {"kind": "b"}}}
    )
    assert list(differences_after({"bars": 21, "kind": "b"}, own, "BTC")) == []
    assert list(differences_after({"bars": 21, "kind": "b"}, own, "TSLA")) == [
        Difference("param `kind`", "b", "a")
    ]
    assert list(differences_after({"bars": 21, "kind": "a", "more": None}, own, "TSLA")) == [
        Difference("param `more`", None, None)
    ]
