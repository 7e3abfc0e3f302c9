"""What a table of a comparison says of itself: rules, windows, data, seeds, trials, and how to read it."""

import math

from flagbench.comparison.comparison import LEVEL, PRIMARY, SET_LEVEL, AssetResult, Comparison
from flagbench.reports.knowledge_table import p_value_text

NAMES = {"sharpe_ratio": "yearly Sharpe ratio", "cumulative_return": "cumulative return"}


def endpoint_caption(comparison: Comparison) -> list[str]:
    """What the first table shows, rules that hold for all tables, and each asset's data."""
    metric = NAMES[comparison.primary]
    lines = [
        f"Interquartile mean over assets and seeds of an agent's {metric} less buy-and-hold's, with a "
        f"{_interval(comparison)}; each draw takes the same days for all seeds and for all assets that were "
        "traded on the same days, others count as independent. Intervals are not adjusted for the number of "
        "agents."
    ]
    if comparison.primary != PRIMARY:
        lines.append(f"Chosen for this table: the endpoint that flagbench declares is the {NAMES[PRIMARY]}.")
    lines.append(_rules(comparison))
    if comparison.setup is not None:
        settings = ", ".join(f"{name} {value}" for name, value in comparison.setup.items())
        lines.append(f"All agents that learn had the same set-up: {settings}.")
    return [*lines, *(_data(asset) for asset in comparison.assets)]


def asset_caption(comparison: Comparison, asset: AssetResult) -> list[str]:
    """All that is needed to read one asset's results alone."""
    lines = [
        _rules(comparison),
        _data(asset),
        f"Figures are interquartile means over seeds. In brackets the {_interval(comparison)}, the same days "
        "for all seeds: it tells how sure the days leave a figure; min … max tells how the seeds differ.",
        f"Holm's p-values are over all paired tests of the comparison, {comparison.tests} in number.",
    ]
    if not all(agent.ranked for agent in asset.agents):
        lines.append("Below the line: who was given the future; it calibrates, and is in no test.")
    if any(agent.in_confidence_set is not None for agent in asset.agents):
        level = f"{100 * SET_LEVEL:.0f} %"
        lines.append(
            f"Bold return: in the {level} model confidence set of mean daily return; bold means nothing else."
        )
    return [*lines, _ability(asset)]


def tests_caption(asset: AssetResult) -> list[str]:
    """What the columns of one asset's tests are."""
    return [
        "PSR: probability that the Sharpe ratio is above 0; DSR: the same of the best of the N trials on "
        "that asset and window. p: paired test of the Sharpe ratio against buy-and-hold's on the same days.",
        _ability(asset),
    ]


def _ability(asset: AssetResult) -> str:
    if math.isnan(asset.spa_p_value):
        return f"{asset.label}: no test whether any agent earns more than buy-and-hold: {asset.spa_reason}."
    return (
        f"{asset.label}: does any agent earn more than buy-and-hold? Superior predictive ability of mean "
        f"daily return: p {_related(asset.spa_p_value)}."
    )


def _interval(comparison: Comparison) -> str:
    return (
        f"{LEVEL:.0%} interval".replace("%", " %")
        + f" from {comparison.resamples} resamples of blocks of days"
    )


def _rules(comparison: Comparison) -> str:
    protocol = comparison.protocol
    return (
        f"Protocol {protocol.id} v{protocol.version}: {protocol.cost_bps:g} bp a side, figures by the "
        f"{protocol.scoring} convention; every figure of money is recomputed from the recorded actions."
    )


def _data(asset: AssetResult) -> str:
    trained = f", trained on {asset.train.first} to {asset.train.last}" if asset.train else ""
    replica = ", drawn prices that say nothing of the real asset" if asset.kind == "replica" else ""
    windows = f" in {len(asset.tests)} windows" if len(asset.tests) > 1 else ""
    fill = asset.fill.replace("_", " ")
    trials = "N unknown, no ledger" if asset.trials is None else f"N = {_counted(asset.trials, 'trial')}"
    return (
        f"{asset.label}: {asset.name}, market {asset.market_sha256[:12]}{replica}; "
        f"test {asset.tests[0].first} to {asset.tests[-1].last}{windows}, {asset.bars - 1} returns{trained}; "
        f"orders fill at the {fill}; P = {asset.periods_per_year}; {trials}{_detectable(asset)}."
    )


def _detectable(asset: AssetResult) -> str:
    low, high = asset.smallest_detectable
    if math.isnan(low):
        return ""
    ends = f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}, by agent"
    return f"; smallest difference of yearly Sharpe ratios that the tests would find with 80 % power: {ends}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _related(p_value: float) -> str:
    text = p_value_text(p_value)
    return text if text.startswith("<") else f"= {text}"
