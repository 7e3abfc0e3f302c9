from copy import deepcopy
from typing import Any

from flagbench.reports.uncertainty_rows import uncertainty_notes, uncertainty_rows

SURE = {
    "sharpe_ratio": 1.234,
    "uncertainty": {
        "sharpe_ratio": {"se": 0.5, "low": 0.254, "high": 2.214, "level": 0.95},
        "cumulative_return": {"low": -0.1234, "high": 0.5},
        "max_drawdown": {"low": 0.05, "high": 0.21},
        "psr": 0.9876,
        "dsr": 0.7654,
        "n_trials": 12,
        "min_track_record": 432.1,
        "blocks": 49.7,
    },
    "uncertainty_undefined": {},
    "against_buy_and_hold": {
        "difference": -0.219,
        "se": 0.4,
        "low": -1.0,
        "high": 0.6,
        "p_value": 0.5832,
        "smallest_detectable": 1.1206,
        "reason": None,
    },
}


def changed(**values: Any) -> dict[str, Any]:
    """`SURE` with other values, `a__b` for the key b of a."""
    score = deepcopy(SURE)
    for path, value in values.items():
        group, _, name = path.partition("__")
        if name:
            score[group][name] = value  # type: ignore[index]
        else:
            score[group] = value
    return score


UNDEFINED = changed(
    uncertainty__sharpe_ratio={"se": None, "low": None, "high": None, "level": 0.95},
    uncertainty__cumulative_return={"low": None, "high": None},
    uncertainty__max_drawdown={"low": None, "high": None},
    uncertainty__psr=None,
    uncertainty__dsr=None,
    uncertainty__n_trials=1,
    uncertainty__min_track_record=None,
    uncertainty__blocks=None,
    uncertainty_undefined={"sharpe_ratio": "fewer than 11 returns", "max_drawdown": "fewer than 11 returns"},
    against_buy_and_hold=dict.fromkeys(("difference", "p_value", "smallest_detectable"))
    | {"reason": "ours: fewer than 11 returns"},
)


def rows(name: str, *scores: dict[str, Any]) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in uncertainty_rows(name, scores)}


def test_each_figure_is_written_below_its_metric() -> None:
    assert rows("sharpe_ratio", SURE, UNDEFINED) == {
        "Sharpe 95 % interval": ["0.25 to 2.21", "–"],
        "Sharpe above 0 (PSR)": ["0.988", "–"],
        "after N trials (DSR)": ["0.765 (N = 12)", "–"],
        "bars needed for 95 %": ["432", "–"],
        "less buy-and-hold's": ["-0.22 (p 0.583)", "–"],
        "detectable difference": ["1.12", "–"],
    }
    assert rows("cumulative_return", SURE, UNDEFINED) == {"return 95 % interval": ["-12.3 to 50.0 %", "–"]}
    assert rows("max_drawdown", SURE, UNDEFINED) == {"drawdown 95 % range": ["5.0 to 21.0 %", "–"]}
    assert rows("turnover", SURE) == {}


def test_few_blocks_are_warned_of() -> None:
    few = changed(uncertainty__blocks=9.93)
    (warning, *rest) = uncertainty_notes({"seed 0": few, "seed 1": SURE})
    assert warning == (
        "warning: seed 0: 9.9 effective blocks of days, fewer than 10: its intervals are rough"
    )
    assert not any("blocks" in note for note in rest)


def test_one_trial_is_said_and_what_a_range_is() -> None:
    range_note = "drawdown 95 % range: of resampled days, no confidence interval"
    assert uncertainty_notes({"seed 0": SURE}) == [range_note]
    one = changed(uncertainty__n_trials=1)
    assert uncertainty_notes({"seed 0": one, "seed 1": one}) == [
        "N = 1: no other trial on these bars is known of, so DSR is PSR",
        range_note,
    ]


def test_what_is_missing_has_its_reason_once() -> None:
    notes = uncertainty_notes({"seed 0": UNDEFINED})
    assert notes[:2] == [
        "– seed 0: Sharpe interval, drawdown range undefined: fewer than 11 returns",
        "– seed 0: comparison with buy-and-hold undefined: ours: fewer than 11 returns",
    ]


def test_where_there_is_no_ratio_at_all_its_own_reason_does() -> None:
    none = UNDEFINED | {"sharpe_ratio": None}
    assert not any("seed 0" in note for note in uncertainty_notes({"seed 0": none}))


def test_being_buy_and_hold_is_no_missing_figure() -> None:
    same = changed(against_buy_and_hold__reason="the two series are identical")
    assert not any("comparison" in note for note in uncertainty_notes({"seed 0": same}))
