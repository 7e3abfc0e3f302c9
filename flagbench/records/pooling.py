"""From the files of all windows of a seed to its pooled record."""

import math
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from flagbench.errors import RecordError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.records.action_file import read_actions
from flagbench.records.ledger import canonical_sha256, trial_sharpes
from flagbench.records.pooled_record import PooledRecord, write_pooled
from flagbench.records.run_record import RunRecord, read_record
from flagbench.scoring.policy import buy_and_hold_actions
from flagbench.scoring.pooling import pooled_score
from flagbench.trading.portfolio import IntArray
from flagbench.trading.protocol import Protocol


def pool_windows(
    folders: Sequence[Path], *, run: Path, market: Market, protocol: Protocol, ledger: Path
) -> Path:
    """Score all test windows of a finished seed as one and write the pooled record.

    The deflated Sharpe ratio of a pool needs the pooled ratio of every trial, which the ledger does not
    hold: N is stated, and with more than one trial the ratio is undefined. `flagbench compare` has it.

    Args:
        folders: of the seed, one a window, oldest first.
        run: takes the record.
        market: that all windows are of.
        protocol: that they were played under.
        ledger: of the trials.

    Raises:
        RecordError: a window is missing, or its actions file was altered.
    """
    records = [read_record(folder) for folder in folders]
    own: list[tuple[Period, IntArray]] = []
    for record, folder in zip(records, folders, strict=True):
        own.append((_period(record), _actions(record, folder / "actions.csv", market)))
    held = [(period, buy_and_hold_actions(len(actions))) for period, actions in own]
    tried = trial_sharpes(
        ledger,
        asset=market.asset.id,
        market_sha256=market.sha256,
        protocol_sha256=canonical_sha256(protocol.model_dump(mode="json")),
        period=str(own[-1][0]),
    )
    unknown = [math.nan] * len(tried) if len(tried) > 1 else []
    first = records[0]
    pooled = PooledRecord(
        run_id=first.run_id,
        agent=first.agent,
        seed=first.seed,
        windows=tuple((str(period.first), str(period.last)) for period, _ in own),
        actions_sha256=tuple(record.actions_sha256 for record in records),
        test=pooled_score(market, protocol, own, trial_sharpes=unknown).to_json(),
        buy_and_hold=pooled_score(market, protocol, held).to_json(),
    )
    return write_pooled(pooled, run)


def _period(record: RunRecord) -> Period:
    return Period.parse(record.asset["windows"]["test"])


def _actions(record: RunRecord, path: Path, market: Market) -> IntArray:
    bars = market.bar_range(_period(record))
    chosen = read_actions(path, market.dates[bars.start : bars.stop]).actions
    if chosen is None or sha256(path.read_bytes()).hexdigest() != record.actions_sha256:
        raise RecordError(f"{path} is not the file that its record speaks of")
    return chosen
