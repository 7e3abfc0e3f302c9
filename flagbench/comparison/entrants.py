"""Which runs are seeds of one agent, what it is called in a table, and which figures stand together."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from flagbench.agents.making import parse_settings
from flagbench.comparison.finding import SeedRun
from flagbench.comparison.replaying import Play, ReplayedSeed, play
from flagbench.errors import ComparabilityError
from flagbench.market.period import Period
from flagbench.records.ledger import canonical_sha256
from flagbench.trading.portfolio import IntArray

BUY_AND_HOLD = "buy-and-hold"


class Identity(NamedTuple):
    """What makes runs the seeds of one agent: the agent, its source, and the params that were given.

    Not the params with their defaults filled in: defaults may depend on the asset's texts.
    """

    name: str
    source: str
    given: str
    """Hash of the params as given."""


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One agent of a table.

    Attributes:
        label: its name there, different for different agents.
        ranked: whether it takes part in tests.
    """

    label: str
    ranked: bool


def identity(run: SeedRun) -> Identity:
    """Of the agent that a run is a seed of."""
    source = run.record.agent_source.get("sha256") or ""
    return Identity(_short_name(run), source, canonical_sha256(_given(run)))


def entrants(runs: Sequence[SeedRun]) -> dict[Identity, Entrant]:
    """Every agent among the runs; where a name stands for several, what they differ in is added to it."""
    first: dict[Identity, SeedRun] = {}
    by_name: dict[str, set[Identity]] = defaultdict(set)
    for run in runs:
        first.setdefault(identity(run), run)
        by_name[_short_name(run)].add(identity(run))
    found: dict[Identity, Entrant] = {}
    for who, run in first.items():
        others = {other: _flat(_given(first[other])) for other in by_name[who.name]}
        label = who.name + _difference(who, others) + ("" if run.record.ranked else " (knows the future)")
        found[who] = Entrant(label=label, ranked=run.record.ranked)
    return found


def _difference(who: Identity, others: Mapping[Identity, Mapping[str, Any]]) -> str:
    if len(others) == 1:
        return ""
    mine = others[who]
    names = sorted({name for params in others.values() for name in params})
    apart = [name for name in names if len({str(params.get(name)) for params in others.values()}) > 1]
    parts = [f"{name}={mine[name]}" for name in apart if name in mine]
    alike = [other for other in others if others[other] == mine]
    if len(alike) > 1:
        parts.append(f"source {who.source[:8]}")
    return f" ({', '.join(parts)})" if parts else " (as it comes)"


def _short_name(run: SeedRun) -> str:
    """`file.py:Class` without the folders before it."""
    return run.record.agent.rpartition("/")[2]


def _given(run: SeedRun) -> dict[str, Any]:
    spec = run.record.spec
    params = parse_settings([str(setting) for setting in spec.get("settings", ())])
    return params if spec.get("backbone") is None else {**params, "backbone": spec["backbone"]}


def _flat(params: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in params.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


@dataclass(frozen=True, kw_only=True, eq=False)
class Seed:
    """One seed of an agent on one asset: its test windows, oldest first; one, unless it walked forward."""

    number: int
    parts: tuple[ReplayedSeed, ...]

    @property
    def windows(self) -> list[tuple[Period, IntArray]]:
        """Each window with its actions."""
        return [(part.period, part.actions) for part in self.parts]

    @cached_property
    def play(self) -> Play:
        """What the actions did, over all windows."""
        if len(self.parts) == 1:
            return self.parts[0].play
        return play(self.parts[0].market, self.parts[0].protocol, self.windows)


class Block(NamedTuple):
    """All seeds on one asset, by agent; seeds in the order of their numbers, all over the same windows."""

    label: str
    seeds: dict[Identity, list[Seed]]

    @property
    def any_part(self) -> ReplayedSeed:
        """One of them: market and protocol are the same for all."""
        return next(iter(self.seeds.values()))[0].parts[0]

    @property
    def periods(self) -> list[Period]:
        """The test windows, oldest first."""
        return [period for period, _ in next(iter(self.seeds.values()))[0].windows]


def blocks(replayed: Sequence[ReplayedSeed]) -> tuple[list[Block], int]:
    """Group seeds by asset, sorted by label; windows of a walk forward are one, other windows apart.

    Returns:
        the blocks, and how many seeds were left out because another run of the same seed did the same.

    Raises:
        ComparabilityError: two runs of one seed took other actions, or walked through other windows.
    """
    several = _with_several_windows(replayed)
    found: dict[str, dict[Identity, dict[int, dict[Period, ReplayedSeed]]]] = {}
    repeated = 0
    for part in replayed:
        label = part.market.label
        if part.run.record.window is None and label in several:
            label = f"{label} {part.period.first} to {part.period.last}"
        by_seed = found.setdefault(label, {}).setdefault(identity(part.run), {})
        other = by_seed.setdefault(part.run.record.seed, {}).setdefault(part.period, part)
        if other is not part:
            _check_same_actions(other, part)
            repeated += 1
    made = [
        Block(label, {who: _seeds(by_seed) for who, by_seed in agents.items()})
        for label, agents in sorted(found.items())
    ]
    for block in made:
        _check_same_windows(block)
    return made, repeated


def _with_several_windows(replayed: Sequence[ReplayedSeed]) -> set[str]:
    """Labels of assets that were traded in several windows that are no walk forward."""
    windows: dict[str, set[Period]] = defaultdict(set)
    for part in replayed:
        if part.run.record.window is None:
            windows[part.market.label].add(part.period)
    return {label for label, periods in windows.items() if len(periods) > 1}


def _seeds(by_seed: Mapping[int, Mapping[Period, ReplayedSeed]]) -> list[Seed]:
    return [
        Seed(number=number, parts=tuple(parts[period] for period in sorted(parts)))
        for number, parts in sorted(by_seed.items())
    ]


def _check_same_windows(block: Block) -> None:
    for seeds in block.seeds.values():
        for seed in seeds:
            own = [period for period, _ in seed.windows]
            if own != block.periods:
                odd = sorted(set(own) ^ set(block.periods))[0]
                one, other = seed.parts[0].run, block.any_part.run
                raise ComparabilityError(
                    f"seeds of {block.label} share a table over the same windows: {one.name} and "
                    f"{other.name} do not share {odd}",
                    hint="finish the walk forward, or give the runs that have all windows",
                )


def _check_same_actions(one: ReplayedSeed, other: ReplayedSeed) -> None:
    if one.run.record.actions_sha256 != other.run.record.actions_sha256:
        number = one.run.record.seed
        raise ComparabilityError(
            f"seed {number} of {one.run.record.agent} is there twice, with other actions: "
            f"{one.run.name} and {other.run.name}",
            hint="give one of the two runs; which one must not depend on its score",
        )
