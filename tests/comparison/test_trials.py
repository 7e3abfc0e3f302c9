import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.comparison.entrants import Block, blocks
from flagbench.comparison.finding import find_seeds
from flagbench.comparison.markets import Markets
from flagbench.comparison.replaying import replay_seed
from flagbench.comparison.trials import Ledgers, find_ledger
from flagbench.errors import RecordError
from flagbench.records.ledger import canonical_sha256, trial_sharpes
from flagbench.scoring.sharpe import sharpe_per_period

if TYPE_CHECKING:
    from tests.comparison.conftest import Copy, Edit


def block_of(*paths: Path) -> tuple[Ledgers, Block]:
    runs, markets = find_seeds(paths), Markets()
    (block,), _ = blocks([replay_seed(run, markets.of(run)) for run in runs])
    return Ledgers(runs), block


def test_every_agent_of_the_ledger_is_a_trial_and_its_seeds_are_one(runs: dict[str, Path]) -> None:
    """Four agents were tried on the stock, though two are compared; the coin is another market."""
    ledgers, block = block_of(runs["random"], runs["tone-rule"])
    sharpes = ledgers.trial_sharpes(block)
    assert sharpes is not None
    assert len(sharpes) == 4
    assert sum(math.isnan(value) for value in sharpes) == 1  # who never traded
    for seeds in block.seeds.values():
        mean = sum(sharpe_per_period(seed.play.returns) for seed in seeds) / len(seeds)
        assert any(value == pytest.approx(mean) for value in sharpes)


def test_trials_are_those_that_the_ledger_counts(runs: dict[str, Path]) -> None:
    ledgers, block = block_of(runs["random"])
    part = block.any_part
    expected = trial_sharpes(
        runs["all"] / "ledger.jsonl",
        asset="TSLA",
        market_sha256=part.market.sha256,
        protocol_sha256=canonical_sha256(part.run.record.protocol),
        period=str(part.period),
    )
    assert ledgers.trial_sharpes(block) == pytest.approx(tuple(expected), nan_ok=True)


def test_a_trial_whose_actions_are_gone_is_remembered(runs: dict[str, Path], copy: "Copy") -> None:
    ledgers, block = block_of(copy("tone-rule"))
    whole, same = block_of(runs["tone-rule"])
    found, expected = ledgers.trial_sharpes(block), whole.trial_sharpes(same)
    assert found == pytest.approx(expected, nan_ok=True)


def test_without_a_ledger_nothing_is_known(copy: "Copy") -> None:
    run = copy("random")
    ledger = find_ledger(find_seeds([run])[0])
    assert ledger is not None
    ledger.unlink()
    ledgers, block = block_of(run)
    assert ledgers.trial_sharpes(block) is None
    assert len(ledgers.without) == 3


def test_a_ledger_that_was_cut_below_a_record_is_found(copy: "Copy") -> None:
    run = copy("tone-rule")
    ledger = find_ledger(find_seeds([run])[0])
    assert ledger is not None
    lines = ledger.read_text().splitlines()
    ledger.write_text("\n".join(lines[:3]) + "\n")
    with pytest.raises(RecordError, match=r"ledger\.head"):
        block_of(run)


def test_an_edited_ledger_is_found(copy: "Copy") -> None:
    run = copy("tone-rule")
    ledger = find_ledger(find_seeds([run])[0])
    assert ledger is not None
    ledger.write_text(ledger.read_text().replace('"seed": 2', '"seed": 9'))
    with pytest.raises(RecordError, match="edited"):
        block_of(run)


def test_a_record_that_points_at_another_trial_is_found(
    copy: "Copy", edit_record: Callable[[Path, "Edit"], None]
) -> None:
    run = copy("random")
    other = json.loads((run / "seed-1" / "record.json").read_text())["ledger"]
    edit_record(run / "seed-0", lambda record: record.update(ledger=other))
    with pytest.raises(RecordError, match="`seed`: the record says 0"):
        block_of(run / "seed-0")
