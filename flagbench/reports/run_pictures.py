"""The pictures of one run, and in plain words why one is not there."""

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from flagbench.comparison.finding import SeedRun
from flagbench.comparison.markets import Markets
from flagbench.comparison.replaying import replay_seed
from flagbench.errors import FlagbenchError, RecordError
from flagbench.market.market import Market
from flagbench.records.training_log import read_training_log
from flagbench.reports.action_plot import TradePath, action_figure, action_words, trade_path
from flagbench.reports.drawdown_plot import SeedCurves, drawdown_figure, drawdown_words
from flagbench.reports.equity_file import read_curves
from flagbench.reports.figure_files import Picture
from flagbench.reports.figure_style import is_narrow
from flagbench.reports.retention_plot import COLUMNS, TradeOff, retention_figure, trade_off
from flagbench.reports.training_plot import TrainingLogs, logged_figures, training_figure, training_words


class Shown(NamedTuple):
    """Pictures, and sentences that stand for those that cannot be drawn."""

    pictures: list[Picture]
    missing: list[str]


class RunPictures(NamedTuple):
    """All pictures of one run, by what they show."""

    equity: Shown
    actions: Shown
    training: Shown
    knowledge: Shown

    @property
    def all(self) -> list[Picture]:
        """In the order of the page."""
        return [picture for shown in self for picture in shown.pictures]


def run_pictures(seeds: Sequence[SeedRun], markets: Markets) -> RunPictures:
    """What can be drawn of one run.

    Args:
        seeds: of one run.
        markets: where the prices come from.

    Raises:
        RecordError: a file of the run is broken, or is not what its record says.
    """
    return RunPictures(
        equity=_equity(seeds),
        actions=_actions(seeds, markets),
        training=_training(seeds),
        knowledge=_knowledge(seeds),
    )


def _name(seeds: Sequence[SeedRun], what: str) -> str:
    """A file's name: who, on what, which run, which picture."""
    record = seeds[0].record
    kind = "-replica" if record.market.kind == "replica" else ""
    window = "" if record.window is None else f"-window-{record.window}"
    agent = Path(record.agent).name
    text = f"{record.asset['id']}{kind}-{record.protocol['id']}-{agent}-{record.run_id}{window}-{what}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)


def _equity(seeds: Sequence[SeedRun]) -> Shown:
    curves: dict[str, dict[str, Any]] = {}
    missing: list[str] = []
    for seed in seeds:
        found = read_curves(seed.folder, seed.record)
        if found is None:
            missing.append(f"seed {seed.record.seed} has no equity.csv, so its curves are not drawn.")
        else:
            curves[f"seed {seed.record.seed}"] = found
    if not curves:
        return Shown([], missing)
    drawn: SeedCurves = curves
    caption = (
        "Equity after costs, each window from 1, and below it the drawdown: how far equity stood under its "
        "highest so far. The wide pale line is buy-and-hold on the same bars."
    )
    draw = partial(drawdown_figure, drawn)
    return Shown([Picture(_name(seeds, "equity"), draw, drawdown_words(drawn), caption)], missing)


def _actions(seeds: Sequence[SeedRun], markets: Markets) -> Shown:
    try:
        market = markets.of(seeds[0])
    except FlagbenchError as error:
        reason = "The prices are not at hand, so the actions are not drawn on them"
        return Shown([], [f"{reason}: {error.message}."])
    pictures = []
    for seed in seeds:
        replayed = replay_seed(seed, market)
        path = trade_path(market, replayed.protocol, replayed.period, replayed.actions)
        pictures.append(_action_picture(seeds, seed, path, market))
    return Shown(pictures, [])


def _action_picture(seeds: Sequence[SeedRun], seed: SeedRun, path: TradePath, market: Market) -> Picture:
    name = f"seed {seed.record.seed}"
    unit = "adjusted" if market.asset.currency == "unknown" else f"{market.asset.currency}, adjusted"
    caption = (
        f"{name}, test window: the close, a mark at the price of each fill, a shade while shares were held."
    )
    draw = partial(action_figure, path, unit=unit)
    return Picture(_name(seeds, f"actions-{seed.record.seed}"), draw, action_words(path, name), caption)


def _training(seeds: Sequence[SeedRun]) -> Shown:
    if seeds[0].record.setup is None:
        return Shown([], ["The agent does not learn, so there is no training to draw."])
    logs: dict[str, list[dict[str, Any]]] = {}
    missing: list[str] = []
    for seed in seeds:
        lines = _log(seed)
        if lines:
            logs[f"seed {seed.record.seed}"] = lines
        else:
            missing.append(f"seed {seed.record.seed} has no line in train.jsonl, so no curve is drawn.")
    drawn: TrainingLogs = logs
    if not logged_figures(drawn):
        return Shown([], missing or ["train.jsonl holds no figure that could be drawn."])
    caption = (
        "What the agent logged, over steps in all environments. The names are those of train.jsonl; "
        "a figure that was no finite number leaves a gap."
    )
    draw = partial(training_figure, drawn)
    return Shown([Picture(_name(seeds, "training"), draw, training_words(drawn), caption)], missing)


def _log(seed: SeedRun) -> list[dict[str, Any]]:
    path = seed.folder / "train.jsonl"
    if not path.is_file():
        return []
    try:
        lines = read_training_log(path)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RecordError(f"{path} is no training log: {error}") from error
    if not all(isinstance(line, dict) for line in lines):
        raise RecordError(f"{path} is no training log: a line is no JSON object")
    return lines


def _knowledge(seeds: Sequence[SeedRun]) -> Shown:
    asked = [seed.record for seed in seeds if seed.record.knowledge is not None]
    if not asked:
        return Shown(
            [],
            ["No language model was asked, so there is no knowledge to keep or lose, and nothing to draw."],
        )
    points = [
        trade_off(f"seed {record.seed}", record.scores["test"], task)
        for record in asked
        for task in (record.knowledge or {})["retention"]
    ]
    points = list(dict.fromkeys(points))  # a suite of one task has it twice, as the task and as the whole
    if all(point.sharpe is None for point in points):
        return Shown([], ["No seed has a Sharpe ratio, so it is not drawn against the change of knowledge."])
    held = asked[0].buy_and_hold["test"]["sharpe_ratio"]
    caption = (
        "Sharpe ratio of the test window against the change of accuracy in training, both with 95 % "
        "intervals. Left of the upright line knowledge was lost."
    )

    def draw(width: float) -> Any:
        columns = 1 if is_narrow(width) else COLUMNS
        return retention_figure(points, title="", buy_and_hold=held, columns=columns)

    return Shown([Picture(_name(seeds, "knowledge"), draw, _knowledge_words(points), caption)], [])


def _knowledge_words(points: Sequence[TradeOff]) -> str:
    parts = [
        f"{point.run}, {point.knowledge}: accuracy {100 * point.change:+.2f} points "
        f"[{100 * point.low:+.2f}, {100 * point.high:+.2f}], Sharpe ratio "
        + ("undefined" if point.sharpe is None else f"{point.sharpe:.2f}")
        for point in points
    ]
    return f"Scatter plot of Sharpe ratio against change of accuracy. {'; '.join(parts)}."
