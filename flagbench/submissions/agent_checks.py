"""Whether the agent here is the one that a submission speaks of.

What it says of itself decides how it is judged: an agent that is given the future is not ranked, one that
learns keeps to the track's budget, and one that trains a language model is asked what it still knows. So none
of the three may be a submitter's word alone: of an agent that ships, its class says it; of any other, whoever
trains it again.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flagbench.agents.agent import TrainableAgent, is_ranked
from flagbench.agents.making import AgentPlan, accepts
from flagbench.registry import load_agent_class, ships
from flagbench.submissions.failure import Failure, failure
from flagbench.submissions.layout import SUBMISSION
from flagbench.submissions.reading import Manifest
from flagbench.submissions.submission import AgentClaim


class Difference(NamedTuple):
    """What an agent is otherwise than claimed."""

    what: str
    here: object
    claimed: object


def agent_failures(manifest: Manifest) -> Iterator[Failure]:
    """What a submission says of an agent that ships, and its class does not.

    Its source may be of another version, whose params and defaults nobody knows here; whether it is ranked,
    whether it learns, and whether it has a language model does not change by version.
    """
    agent, card = manifest.submission.agent, manifest.submission.card
    if not ships(agent.name):
        if ships(card.name):
            expected = f"a name of its own: `{card.name}` is an agent that ships, and `{agent.name}` ran"
            yield _failure(manifest, "card.name", card.name, expected)
        return
    agent_class = load_agent_class(agent.name)
    if card.name != agent.name and ships(card.name):
        expected = f"`{agent.name}`, which ran, or a name that no agent has that ships"
        yield _failure(manifest, "card.name", card.name, expected)
    if agent.ranked != is_ranked(agent_class):
        yield _failure(manifest, "agent.ranked", agent.ranked, is_ranked(agent_class))
    learns = issubclass(agent_class, TrainableAgent)
    if learns != (agent.setup is not None):
        found, expected = (
            ("nothing", "a set-up: it learns") if learns else ("a set-up", "null: it does not learn")
        )
        yield _failure(manifest, "agent.setup", found, expected)
    if accepts(agent_class, "backbone") and agent.params.get("backbone") is None:
        expected = f"a backbone: `{agent.name}` has a language model"
        yield _failure(manifest, "agent.params", "no backbone", expected)


def _failure(manifest: Manifest, what: str, found: object, expected: object) -> Failure:
    line = manifest.lines.of(*what.split("."))
    return failure(SUBMISSION, what, found=found, expected=expected, line=line)


def differences_before(plan: AgentPlan, claim: AgentClaim) -> Iterator[Difference]:
    """What can be seen of an agent before it is trained again.

    Args:
        plan: of the agent that lies here.
        claim: of the submission.
    """
    source = plan.source()
    if source["sha256"] != claim.source_sha256:
        yield Difference("source", source["sha256"], claim.source_sha256)
    here, claimed = (str(name).rpartition(":")[2] for name in (source["object"], claim.object))
    if here != claimed:  # a file's module is called after where it lies
        yield Difference("class", here, claimed)
    if plan.ranked != claim.ranked:
        yield Difference("ranked", plan.ranked, claim.ranked)
    if plan.trains != (claim.setup is not None):
        yield Difference("whether it learns", plan.trains, claim.setup is not None)


def differences_after(params: Mapping[str, Any], claim: AgentClaim, asset: str) -> Iterator[Difference]:
    """Params that the new run had, and the submission says otherwise.

    Args:
        params: of the new run's record.
        claim: of the submission.
        asset: on which it was trained again.
    """
    claimed = claim.params | claim.asset_params.get(asset, {})
    for name in sorted(params.keys() | claimed.keys()):
        here, there = params.get(name), claimed.get(name)
        if here != there or (name in params) != (name in claimed):
            yield Difference(f"param `{name}`", here, there)
