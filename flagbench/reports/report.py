"""Runs as one HTML page, and the page's pictures as files."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from flagbench.comparison.finding import SeedRun, find_seeds
from flagbench.comparison.markets import Markets
from flagbench.records.pooled_record import read_pooled
from flagbench.records.run_record import agent_label
from flagbench.reports.comparison_section import comparison_section
from flagbench.reports.figure_files import Picture
from flagbench.reports.forest_plot import ForestRow, forest_figure, forest_words, sharpe_interval
from flagbench.reports.page import Section, notes, page, picture_html
from flagbench.reports.run_pictures import run_pictures
from flagbench.reports.run_section import run_section, windows_section


class Report(NamedTuple):
    """A page, and the pictures in it."""

    html: str
    pictures: list[Picture]


class Part(NamedTuple):
    """A section and the pictures in it."""

    section: Section
    pictures: list[Picture]


def make_report(paths: Sequence[Path], *, data: str | None = None) -> Report:
    """A page on all runs in or below the folders: held against each other, then one by one.

    Args:
        paths: runs' folders, seeds' folders, or folders above them.
        data: a data folder instead of the one that the records name.

    Raises:
        RecordError: a folder holds no run, or a file of one is broken or is not what its record says.
    """
    seeds = find_seeds(paths)
    runs = by_run(seeds)
    markets = Markets(data)
    forest = sharpe_picture(seeds)
    parts = [
        _run_part(f"run-{number}", title, run, markets)
        for number, (title, run) in enumerate(zip(run_titles(runs), runs, strict=True), start=1)
    ]
    sections = [
        comparison_section(paths, data=data),
        _forest_section(forest, seeds),
        *(part.section for part in parts),
    ]
    html = page(_page_title(runs), sections, lead=_lead(seeds, runs))
    return Report(html, [forest, *(picture for part in parts for picture in part.pictures)])


def by_run(seeds: Sequence[SeedRun]) -> list[list[SeedRun]]:
    """Seeds of one run together, by asset and agent; in a run windows and then seeds rise."""

    def place(seed: SeedRun) -> tuple[str, str, str]:
        return str(seed.record.asset["id"]), seed.record.agent, seed.record.run_id

    return [
        sorted(group, key=lambda seed: (_window(seed), seed.record.seed))
        for _, group in groupby(sorted(seeds, key=place), key=place)
    ]


def _window(seed: SeedRun) -> int:
    return 0 if seed.record.window is None else seed.record.window


def _run_part(key: str, title: str, run: Sequence[SeedRun], markets: Markets) -> Part:
    """One run; one that walked forward has a part in it for each of its windows."""
    windows = [list(group) for _, group in groupby(run, key=_window)]
    if len(windows) == 1:
        return _window_part(key, title, run, markets)
    parts = [
        _window_part(f"{key}-window-{_window(own[0])}", f"Window {_window(own[0])}", own, markets)
        for own in windows
    ]
    records = [seed.record.model_dump(mode="json") for seed in run]
    asked = {seed.record.seed for seed in run}
    folder = run[0].folder.parents[1]
    pooled = [one.model_dump(mode="json") for one in read_pooled(folder) if one.seed in asked]
    section = windows_section(key, title, [part.section for part in parts], records=records, pooled=pooled)
    return Part(section, [picture for part in parts for picture in part.pictures])


def _window_part(key: str, title: str, seeds: Sequence[SeedRun], markets: Markets) -> Part:
    drawn = run_pictures(seeds, markets)
    records = [seed.record.model_dump(mode="json") for seed in seeds]
    return Part(run_section(key, title, records, drawn), drawn.all)


def _agent(seed: SeedRun) -> str:
    """Its name, of a file without the folders above it, marked where it knows the future."""
    return Path(agent_label(seed.record.model_dump(mode="json"))).name


def _market_label(seed: SeedRun) -> str:
    record = seed.record
    return f"{record.asset['id']} (replica)" if record.market.kind == "replica" else str(record.asset["id"])


def _protocol_label(seed: SeedRun) -> str:
    return f"{seed.record.protocol['id']} v{seed.record.protocol['version']}"


def run_titles(runs: Sequence[Sequence[SeedRun]]) -> list[str]:
    """Agent, asset and protocol; the run's id too where two runs would be called alike."""
    plain = [f"{_agent(run[0])} on {_market_label(run[0])}, {_protocol_label(run[0])}" for run in runs]
    return [
        f"{title}, run {run[0].record.run_id}" if plain.count(title) > 1 else title
        for title, run in zip(plain, runs, strict=True)
    ]


def _page_title(runs: Sequence[Sequence[SeedRun]]) -> str:
    if len(runs) == 1:
        return f"{_agent(runs[0][0])} on {_market_label(runs[0][0])}"
    assets = list(dict.fromkeys(_market_label(run[0]) for run in runs))
    return f"{len(runs)} runs on {', '.join(assets)}"


def _lead(seeds: Sequence[SeedRun], runs: Sequence[Sequence[SeedRun]]) -> str:
    counts = [_count(len(runs), "run")] if len(runs) > 1 else []
    counts.append(_count(len({(seed.record.run_id, seed.record.seed) for seed in seeds}), "seed"))
    protocols = ", ".join(dict.fromkeys(map(_protocol_label, seeds)))
    days = sorted({seed.record.created[:10] for seed in seeds})
    return (
        f"{', '.join(counts)}, protocol {protocols}, made {' to '.join(dict.fromkeys((days[0], days[-1])))}."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def sharpe_picture(seeds: Sequence[SeedRun]) -> Picture:
    """Sharpe ratios of the test window: a line a seed, and buy-and-hold on the same bars."""
    rows = forest_rows(seeds)
    caption = (
        "Sharpe ratio of the test window with its 95 % interval: a line a seed. The diamond is buy-and-hold "
        "on the same bars. Lines share a panel where market, protocol and window are the same. Whether two "
        "of them differ is not seen from whether their intervals overlap, since both trade the same days."
    )
    return Picture("sharpe-forest", lambda width: forest_figure(rows, width), forest_words(rows), caption)


def forest_rows(seeds: Sequence[SeedRun]) -> list[ForestRow]:
    """A row a seed, and below those of one panel buy-and-hold, once."""
    panels: dict[tuple[str, str], list[SeedRun]] = {}
    for seed in seeds:
        first, last = seed.record.scores["test"]["period"]
        label = f"{_market_label(seed)}, {_protocol_label(seed)}, {first} to {last}"
        panels.setdefault((label, seed.record.market.sha256), []).append(seed)
    labels = [label for label, _ in panels]
    rows: list[ForestRow] = []
    for (label, sha256), members in panels.items():
        # Two markets of one name are two panels, told apart by their hash.
        group = f"{label}, market {sha256[:12]}" if labels.count(label) > 1 else label
        rows += [_row(group, seed, members) for seed in members]
        held = members[0].record.buy_and_hold["test"]
        reason = held["undefined"].get("sharpe_ratio", "")
        rows.append(ForestRow(group, "buy-and-hold", sharpe_interval(held), reason, is_reference=True))
    return rows


def _row(group: str, seed: SeedRun, members: Sequence[SeedRun]) -> ForestRow:
    score = seed.record.scores["test"]
    own = (_agent(seed), seed.record.seed)
    label = f"{own[0]}, seed {own[1]}"
    if sum((_agent(other), other.record.seed) == own for other in members) > 1:
        label += f", {seed.record.run_id[-6:]}"
    return ForestRow(group, label, sharpe_interval(score), score["undefined"].get("sharpe_ratio", ""))


def _forest_section(forest: Picture, seeds: Sequence[SeedRun]) -> Section:
    undefined = [
        f"{row.group}, {row.label}: Sharpe ratio undefined: {row.undefined}"
        for row in forest_rows(seeds)
        if row.undefined
    ]
    content = [picture_html(forest), notes(undefined)]
    return Section("sharpe", "Sharpe ratios and how sure they are", content)
