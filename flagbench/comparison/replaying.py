"""A recorded seed played again: its figures from market, protocol and actions, held against the record."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np

from flagbench.comparison.finding import SeedRun
from flagbench.errors import ConfigError, RecordError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.market.price_file import DateArray, FloatArray
from flagbench.records.action_file import read_actions
from flagbench.registry import load_metrics
from flagbench.scoring.performance import Performance
from flagbench.scoring.policy import PolicyShape, buy_and_hold_actions, policy_shape
from flagbench.scoring.pooling import pool
from flagbench.scoring.score import measure, played_performance
from flagbench.settings import parse
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import Protocol, load_protocol, protocol_names

TOLERANCE = 1e-9
"""Beyond which a recorded figure is not the recomputed one: relative above 1, absolute below."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Play:
    """Actions played over a window, or over several pooled into one, and all that is measured of them.

    Attributes:
        dates: (m,) datetime64[D], of each return.
        performance: returns by the protocol's convention.
        values: every registered metric, nan where undefined.
        undefined: the reason for each nan.
        shape: degenerate policies by name.
        redundant: actions that changed nothing.
        unparsed: answers that were no action.
    """

    dates: DateArray
    performance: Performance
    values: dict[str, float]
    undefined: dict[str, str]
    shape: PolicyShape
    redundant: int
    unparsed: int

    @property
    def returns(self) -> FloatArray:
        """(m,) simple, or logarithmic under a protocol that scores by the paper's convention."""
        return self.performance.returns


@dataclass(frozen=True, kw_only=True, eq=False)
class ReplayedSeed:
    """A recorded seed whose figures were found to be right.

    Attributes:
        run: the record and where it lies.
        market: what it traded.
        protocol: under which rules.
        actions: (n − 1,) of the test window.
        play: what they did.
    """

    run: SeedRun
    market: Market
    protocol: Protocol
    actions: IntArray
    play: Play

    @property
    def period(self) -> Period:
        """The test window."""
        return self.market.asset.windows.test


def play(market: Market, protocol: Protocol, windows: Sequence[tuple[Period, IntArray]]) -> Play:
    """Replay actions and measure them.

    Args:
        market: where they trade.
        protocol: fills, costs, and the convention of the figures.
        windows: each with its (n − 1,) actions, oldest first; several are pooled.

    Raises:
        FlagbenchError: as `flagbench.trading.replay.replay`.
    """
    parts = [played_performance(market, protocol, period, actions) for period, actions in windows]
    played = [replayed for replayed, _ in parts]
    performance = pool([each for _, each in parts])
    values, undefined = measure(performance)
    positions = np.concatenate([part.position for part in played])
    return Play(
        dates=np.concatenate([part.dates[1:] for part in played]),
        performance=performance,
        values=values,
        undefined=undefined,
        shape=policy_shape(positions, np.concatenate([part.order_returns for part in played])),
        redundant=sum(part.redundant for part in played),
        unparsed=sum(part.unparsed for part in played),
    )


def play_buy_and_hold(market: Market, protocol: Protocol, periods: Sequence[Period]) -> Play:
    """Buy at the first decision of each window and hold."""
    held = [(period, buy_and_hold_actions(len(market.bar_range(period)) - 1)) for period in periods]
    return play(market, protocol, held)


def replay_seed(run: SeedRun, market: Market) -> ReplayedSeed:
    """Recompute a recorded seed.

    Raises:
        RecordError: the actions are not those of the record, its protocol is not the one of that name, or a
            figure differs; each with the field.
    """
    protocol = recorded_protocol(run)
    windows = market.asset.windows
    actions = _actions(run, market, windows.test)
    own = play(market, protocol, [(windows.test, actions)])
    _check_score(run, "scores.test", run.record.scores.get("test"), own, windows.test)
    for name, period in (("train", windows.train), ("test", windows.test)):
        held = play_buy_and_hold(market, protocol, [period])
        recorded = run.record.buy_and_hold.get("train" if name == "train" else "test")
        _check_score(run, f"buy_and_hold.{name}", recorded, held, period)
    return ReplayedSeed(run=run, market=market, protocol=protocol, actions=actions, play=own)


def recorded_protocol(run: SeedRun) -> Protocol:
    """The protocol as the record has it.

    Raises:
        RecordError: it is broken, or not the installed one of that id and version.
    """
    try:
        protocol = parse(Protocol, run.record.protocol, origin=f"{run.name}: `protocol`")
    except ConfigError as error:
        raise RecordError(error.message, hint=error.hint) from None
    if protocol.id in protocol_names():
        installed = load_protocol(protocol.id)
        if installed.version == protocol.version and installed != protocol:
            mine, others = protocol.model_dump(mode="json"), installed.model_dump(mode="json")
            field = next(name for name in mine if mine[name] != others[name])
            raise RecordError(
                f"{run.name}: `protocol.{field}`: the record says {mine[field]}, "
                f"{protocol.id} v{protocol.version} has {others[field]}"
            )
    return protocol


def _actions(run: SeedRun, market: Market, period: Period) -> IntArray:
    path = run.folder / "actions.csv"
    bars = market.bar_range(period)
    try:
        found = sha256(path.read_bytes()).hexdigest()
        actions = read_actions(path, market.dates[bars.start : bars.stop]).actions
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error}") from error
    except ConfigError as error:
        raise RecordError(f"`actions.csv`: {error.message}", hint=error.hint) from None
    if found != run.record.actions_sha256 or actions is None:
        raise RecordError(
            f"{run.name}: `actions_sha256`: the record says {run.record.actions_sha256[:12]}, "
            f"actions.csv has {found[:12]}",
            hint="the file was changed after the run",
        )
    return actions


def _check_score(
    run: SeedRun, where: str, recorded: Mapping[str, Any] | None, own: Play, period: Period
) -> None:
    """Hold what was recorded against what was recomputed; intervals are computed anew and not compared."""
    if recorded is None:
        raise RecordError(f"{run.name}: `{where}` is missing")
    found: dict[str, Any] = {
        **{name: own.values[name] for name in load_metrics()},
        "policy.identical_to": own.shape.identical_to,
        "policy.agreement_with_buy_and_hold": own.shape.agreement_with_buy_and_hold,
        "policy.timing.statistic": own.shape.timing.statistic,
        "policy.timing.p_value": own.shape.timing.p_value,
        "redundant": own.redundant,
        "unparsed": own.unparsed,
        "scoring": own.performance.convention,
        "period": [str(period.first), str(period.last)],
        "bars": len(own.performance.path),
    }
    for field, value in found.items():
        is_there, kept = _field(recorded, field)
        if is_there and not _equal(kept, value):
            raise RecordError(
                f"{run.name}: `{where}.{field}`: the record says {kept}, its actions come to {_shown(value)}",
                hint="the record or the code that scores was changed after the run",
            )


def _field(values: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Whether a nested field is there, and its value; a metric that is newer than the record is not."""
    inner: Any = values
    for name in path.split("."):
        if not isinstance(inner, Mapping) or name not in inner:
            return False, None
        inner = inner[name]
    return True, inner


def _shown(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _equal(kept: Any, found: Any) -> bool:
    found = _shown(found)
    if isinstance(found, (int, float)) and isinstance(kept, (int, float)):
        return math.isclose(kept, found, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(kept == found)
