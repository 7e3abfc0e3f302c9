"""How long the board takes to build, and how large it is, for boards of generated submissions.

    python benchmarks/board.py 250 500 1000
    python benchmarks/board.py 40 --keep board      # leaves a board of 40 in ./board, to be looked at

Every figure is drawn: prices, positions, and intervals by the normal approximation. The intervals over all
assets, which take seconds an entry and are kept for good, are drawn too, and timed on a few entries alone.
Seconds are those of the processor, of one core, so that what else a machine does is left out.
"""

import argparse
import math
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flagbench.board.entry import read_entry
from flagbench.board.joint import HELD, Joint, Level, joint_text, level_of, series_sha256
from flagbench.board.site import Board, build_board, write_board
from flagbench.knowledge.retention import TaskRetention
from flagbench.records.ledger import GENESIS
from flagbench.registry import load_metrics
from flagbench.scoring.across_seeds import interquartile_mean
from flagbench.scoring.metrics import max_drawdown
from flagbench.submissions.badge import Badge, write_badge
from flagbench.submissions.layout import CARD, SUBMISSION, badge_path, content_sha256, results_path
from flagbench.submissions.results import (
    AssetResults,
    Audit,
    Difference,
    Endpoint,
    Held,
    Knowledge,
    Results,
    SeedResults,
    Spread,
    write_results,
)
from flagbench.submissions.submission import (
    AgentClaim,
    BackboneCard,
    CardFields,
    Code,
    LedgerFile,
    MarketClaim,
    RunClaim,
    Submission,
)

ASSETS = ("BTC", "ETH", "HON", "JNJ", "MSFT", "NFLX", "SPY", "TSLA", "UVV")
"""As many as the largest track has."""

SEEDS = 5
BARS = 150
YEAR = 252
ZERO = "0" * 64
COST = 0.001
"""Of a side of a trade, as `standard` has it."""

RANKED = 40
"""Reproduced entries at most, whatever the number of submissions: each cost a maintainer a training."""

KINDS = ("flag", "momentum", "dqn", "mlp-ppo", "prompted-llm", "tone-rule", "random")

Floats = NDArray[np.float64]


class Kind(NamedTuple):
    """What a generated submission is to be like."""

    name: str
    """Of the entry; the folder adds the date."""
    agent: str
    has_backbone: bool = True
    ranked: bool = True
    """False for one that was given the future."""
    status: str = "replayed"
    days_long: float = 0.5
    """Share of days with a position; 1 is buy-and-hold, 0 always flat."""
    skill: float = 0.0
    """Share of days on which the position is the right one."""
    description: str = "A generated entry."
    authors: tuple[str, ...] = ("A. Author", "B. Author")
    body: str = "# What is new\n\nNothing: this entry was *generated*.\n"
    pretraining: str = "drawn"


def market(asset: str) -> Floats:
    """(BARS − 1,) simple returns of an asset, the same for every entry."""
    rng = np.random.default_rng([1, *asset.encode()])
    returns: Floats = rng.normal(0.0006, 0.02, BARS - 1)
    return returns


def dates(asset: str) -> list[date]:
    """BARS days; the coins trade on weekends."""
    first = date(2020, 10, 1)
    if asset in ("BTC", "ETH"):
        return [first + timedelta(days=step) for step in range(BARS)]
    days = np.busday_offset(np.datetime64(first), np.arange(BARS), roll="forward")
    return [date.fromisoformat(str(day)) for day in days]


def positions(kind: Kind, returns: Floats, rng: np.random.Generator) -> Floats:
    """(SEEDS, BARS − 1) of 0 and 1."""
    shape = (SEEDS, len(returns))
    drawn = rng.random(shape) < kind.days_long
    right = np.broadcast_to(returns > 0, shape)
    return np.where(rng.random(shape) < kind.skill, right, drawn).astype(np.float64)


def played(held: Floats, returns: Floats) -> tuple[Floats, list[dict[str, float | None]]]:
    """Returns of each seed after costs, and its metrics."""
    changes = np.abs(np.diff(held, axis=1, prepend=0.0))
    own = held * returns - COST * changes
    metrics = []
    for series, change, days in zip(own, changes, held, strict=True):
        curve = np.concatenate([[1.0], np.cumprod(1 + series)])
        spread = float(series.std(ddof=1))
        sharpe = float(series.mean()) / spread * math.sqrt(YEAR) if spread else None
        metrics.append(
            dict.fromkeys(load_metrics(), None)
            | {
                "cumulative_return": float(curve[-1] - 1),
                "sharpe_ratio": sharpe,
                "annualized_volatility": spread * math.sqrt(YEAR),
                "max_drawdown": float(max_drawdown(curve)),
                "turnover": float(change.sum() * YEAR / BARS),
                "exposure": float(days.mean()),
                "trades": float(change.sum()),
                "cost_paid": float(COST * change.sum()),
            }
        )
    return own, metrics


def spread_of(values: list[float | None], *, reach: float | None = None) -> Spread:
    """Seeds summarised; `reach` to either side is the interval."""
    known = [value for value in values if value is not None]
    whole = len(known) == len(values)
    middle = interquartile_mean(known) if whole else None
    ends = (None, None) if middle is None or reach is None else (middle - reach, middle + reach)
    return Spread(
        values=tuple(values),
        iqm=middle,
        low=ends[0],
        high=ends[1],
        minimum=min(known, default=None),
        maximum=max(known, default=None),
        undefined=len(values) - len(known),
        reasons=() if whole else ("never held a position",),
    )


def retentions(after: float) -> tuple[dict[str, object], ...]:
    """Two tasks and the suite of them, as a seed's answers would have come to."""
    tasks = ("arithmetic", "terms", None)
    return tuple(
        TaskRetention(
            suite="basics",
            task=task,
            version="1",
            items=100 if task else 200,
            clusters=100 if task else 200,
            before=0.6,
            after=after,
            difference=after - 0.6,
            low=after - 0.7,
            high=after - 0.5,
            p_value=0.3,
            test="mcnemar",
            forgotten=5,
            gained=4,
            smallest_detectable_difference=0.1,
            noise=None,
            unparsed_before=0,
            unparsed_after=1,
            truncated_before=0,
            truncated_after=0,
        ).to_json()
        for task in tasks
    )


def asset_results(kind: Kind, asset: str, rng: np.random.Generator) -> AssetResults:
    """All seeds of one entry on one asset."""
    returns = market(asset)
    own, metrics = played(positions(kind, returns, rng), returns)
    held, (held_metrics,) = played(np.ones((1, len(returns))), returns)
    days = dates(asset)
    reach = 1.96 * math.sqrt(YEAR / BARS)
    sharpes = [each["sharpe_ratio"] for each in metrics]
    reference = held_metrics["sharpe_ratio"] or 0.0
    summary = {
        name: spread_of(
            [each[name] for each in metrics],
            reach={"sharpe_ratio": reach, "cumulative_return": 0.2, "max_drawdown": 0.05}.get(name),
        )
        for name in load_metrics()
    }
    middle = summary["sharpe_ratio"].iqm
    value = None if middle is None else middle - reference
    chances = [None if each is None else 0.5 * math.erfc(-each / reach) for each in sharpes]
    identical = "buy-and-hold" if kind.days_long == 1 else "always-flat" if kind.days_long == 0 else None
    knowledge, tasks = None, None
    if kind.has_backbone:
        before, after = 0.6, 0.6 + float(rng.normal(0, 0.03))
        knowledge = Knowledge(
            suite="basics", before=spread_of([before] * SEEDS), after=spread_of([after] * SEEDS)
        )
        tasks = retentions(after)
    return AssetResults(
        asset=asset,
        name=f"{asset}, generated",
        kind="replica",
        market_sha256=ZERO,
        period=(days[0].isoformat(), days[-1].isoformat()),
        bars=BARS,
        periods_per_year=YEAR,
        log_returns=False,
        dates=tuple(day.isoformat() for day in days[1:]),
        held=Held(returns=tuple(held[0].tolist()), metrics=held_metrics, uncertainty={}),
        n_trials=int(rng.integers(1, 30)),
        pretraining=kind.pretraining if kind.has_backbone else "none",  # type: ignore[arg-type]
        summary=summary,
        psr=spread_of(chances),
        dsr=spread_of([None if each is None else each * 0.7 for each in chances]),
        paired=Difference(
            value=value,
            low=None if value is None else value - 1.2,
            high=None if value is None else value + 1.2,
            p_value=None if value is None else math.erfc(abs(value) / 1.7),
            smallest_detectable=1.7,
            reason="" if value is not None else "a Sharpe ratio is undefined: never held a position",
        ),
        collapsed={identical: SEEDS} if identical else {},
        unparsed=0.0,
        knowledge=knowledge,
        audit=tuple(
            Audit(seed=seed, verdict="reachable", flags=(), explanation="A path on these prices has them.")
            for seed in range(SEEDS)
        ),
        seeds=tuple(
            SeedResults(
                seed=seed,
                actions_sha256=ZERO,
                metrics=metrics[seed],
                undefined={},
                uncertainty={},
                identical_to=identical,
                agreement_with_buy_and_hold=kind.days_long,
                timing_p_value=float(rng.random()),
                redundant=0,
                unparsed=0,
                returns=tuple(own[seed].tolist()),
                knowledge=tasks,
            )
            for seed in range(SEEDS)
        ),
    )


def submission_of(kind: Kind, track: str, day: date, assets: tuple[str, ...]) -> Submission:
    """What is handed in; nothing of it would pass `flagbench submit validate`."""
    ledger = LedgerFile(file="ledger.jsonl", head=GENESIS, length=1)
    backbone = BackboneCard(name="a-model", cutoff=date(2021, 1, 1), licence="Apache-2.0")
    return Submission(
        schema_version=1,
        track=track,
        track_version=1,
        protocol="standard",
        protocol_version=1,
        protocol_sha256=ZERO,
        date=day,
        card=CardFields(
            name=kind.name,
            description=kind.description,
            authors=kind.authors,
            licence="Apache-2.0",
            code=Code(url="https://example.org/agent", commit="0123456789abcdef"),
            backbone=backbone if kind.has_backbone else None,
            training_data="none",
            hardware="2 CPU cores",
            trials="none but this",
        ),
        card_sha256=ZERO,
        agent=AgentClaim(
            name=kind.agent,
            object=f"agents.{kind.agent}:Agent",
            source_sha256=ZERO,
            ranked=kind.ranked,
            backbone="a-model" if kind.has_backbone else None,
            settings=(),
            params={"learning_rate": 0.001},
            asset_params={},
            setup=None,
        ),
        provenance=(),
        ledgers=(ledger,),
        runs=tuple(
            RunClaim(
                asset=asset,
                seed=seed,
                run_id="20261123-000000-000000",
                created="2026-11-23T00:00:00Z",
                market=MarketClaim(kind="replica", sha256=ZERO),
                period=(dates(asset)[0], dates(asset)[-1]),
                actions_sha256=ZERO,
                metrics={},
                identical_to=None,
                redundant=0,
                unparsed=0,
                ledger=ledger,
                knowledge=None,
                usage=None,
                observed=None,
                seconds={},
            )
            for asset in assets
            for seed in range(SEEDS)
        ),
    )


def write_entry(
    board: Path, kind: Kind, *, track: str = "replica", number: int = 0, assets: tuple[str, ...] = ASSETS
) -> Path:
    """One submission with its results and its badge.

    Args:
        board: the folder with `submissions`.
        kind: what it is to be like.
        track: to which it is submitted.
        number: of the draw; another number is another entry.
        assets: of the track.

    Returns:
        its folder.
    """
    rng = np.random.default_rng([number, *kind.name.encode()])
    submission = submission_of(kind, track, date(2026, 11, 1 + number % 28), assets)
    folder = board / "submissions" / track / submission.folder_name
    folder.mkdir(parents=True)
    (folder / SUBMISSION).write_text(submission.model_dump_json(indent=1) + "\n", encoding="utf-8")
    head = submission.card.model_dump_json()  # JSON is YAML
    (folder / CARD).write_text(f"---\n{head}\n---\n\n{kind.body}", encoding="utf-8")
    found = tuple(asset_results(kind, asset, rng) for asset in assets)
    cells = [_less(value, asset) for asset in found for value in asset.summary["sharpe_ratio"].values]
    middle = spread_of(cells, reach=0.8)
    digest = content_sha256(folder)
    results = Results(
        submission_sha256=digest,
        flagbench="0.0.0",
        track=track,
        track_version=1,
        protocol="standard v1",
        name=kind.name,
        date=submission.date.isoformat(),
        ranked=kind.ranked,
        learns=False,
        endpoint=Endpoint(
            value=middle.iqm,
            low=middle.low,
            high=middle.high,
            p_value=None,
            smallest_detectable=1.1,
            reason="" if middle.iqm is not None else "a Sharpe ratio is undefined: never held a position",
            cells=middle.values,
        ),
        assets=found,
    )
    write_results(results, results_path(folder))
    if kind.status != "replayed":
        write_badge(_badge(digest, kind, results), badge_path(folder))
    return folder


def _less(value: float | None, asset: AssetResults) -> float | None:
    held = asset.held.metrics["sharpe_ratio"]
    return None if value is None or held is None else value - held


def _badge(digest: str, kind: Kind, results: Results) -> Badge:
    sharpe = results.assets[0].summary["sharpe_ratio"]
    return Badge(
        submission_sha256=digest,
        status=kind.status,  # type: ignore[arg-type]
        date="2026-11-23T00:00:00Z",
        asset=results.assets[0].asset,
        seed=0,
        metric="sharpe_ratio",
        claimed=sharpe.values[0],
        found=sharpe.values[0],
        lowest=sharpe.minimum,
        highest=sharpe.maximum,
        equal_actions=1.0,
        exact=True,
        source_is_claimed=True,
        provenance={},
    )


def kinds(count: int) -> list[Kind]:
    """Buy-and-hold, always flat, the oracle, then agents of many kinds."""
    chosen = [
        Kind("buy-and-hold", "buy-and-hold", has_backbone=False, status="reproduced", days_long=1.0),
        Kind("always-flat", "always-flat", has_backbone=False, status="reproduced", days_long=0.0),
        Kind("oracle", "oracle", has_backbone=False, ranked=False, status="reproduced", skill=0.9),
    ]
    rng = np.random.default_rng(0)
    for number in range(count - len(chosen)):
        agent = KINDS[number % len(KINDS)]
        chosen.append(
            Kind(
                f"{agent}-{number}",
                agent,
                has_backbone=agent in ("flag", "prompted-llm"),
                status="reproduced" if number < RANKED - 2 else "replayed",
                days_long=float(rng.uniform(0.2, 0.95)),
                skill=float(rng.uniform(-0.05, 0.1)),
                pretraining="inside" if number % 3 else "unknown",
            )
        )
    return chosen[:count]


def make_board(board: Path, count: int, *, assets: tuple[str, ...] = ASSETS) -> list[Path]:
    """A board of that many generated submissions to one track.

    Returns:
        their folders.
    """
    return [
        write_entry(board, kind, number=number, assets=assets) for number, kind in enumerate(kinds(count))
    ]


def draw_levels(board: Path, folders: list[Path], *, track: str = "replica") -> None:
    """Keep drawn intervals over all assets, as if they had been computed; the tests are left to the build."""
    levels: dict[str, Level] = {}
    for folder in folders:
        read = read_entry(folder)
        for name, series in ((read.entry.name, read.series), (HELD, read.held)):
            middle = read.entry.metric("sharpe_ratio") if name != HELD else 0.5
            ends = (None, None) if middle is None else (middle - 0.7, middle + 0.7)
            levels[name] = Level(sha256=series_sha256(series), iqm=middle, low=ends[0], high=ends[1])
    path = board / "joint" / f"{track}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(joint_text(Joint(levels=levels)), encoding="utf-8")


def seconds_of_levels(folders: list[Path]) -> list[float]:
    """What one entry's interval over all assets takes."""
    taken = []
    for folder in folders:
        series = read_entry(folder).series
        begun = time.process_time()
        level_of(series, digest="", resamples=5000)
        taken.append(time.process_time() - begun)
    return taken


def measure(count: int, board: Path, *, assets: tuple[str, ...] = ASSETS) -> Board:
    """Make, build twice, and print."""
    begun = time.process_time()
    folders = make_board(board, count, assets=assets)
    draw_levels(board, folders)
    made = time.process_time() - begun
    begun = time.process_time()
    built = build_board(board)
    first = time.process_time() - begun
    write_board(built, board / "site")
    begun = time.process_time()
    again = build_board(board)
    second = time.process_time() - begun
    assert again.site == built.site
    begun = time.process_time()
    changed = write_board(again, board / "site")
    written = time.process_time() - begun
    size = sum(len(text.encode()) for text in built.site.values())
    print(
        f"{count:5d} submissions: made in {made:.1f} s; built in {first:.1f} s with the tests of all, in "
        f"{second:.1f} s without ({1000 * second / count:.1f} ms each); looked over in {written:.2f} s, "
        f"{len(changed)} changed; {size / 1e6:.1f} MB in {len(built.site)} files; track page "
        f"{len(built.site['replica.html'].encode()) / 1e6:.2f} MB"
    )
    return built


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("counts", nargs="*", type=int, default=[250, 500, 1000], metavar="N")
    parser.add_argument("--keep", metavar="FOLDER", help="leave the last board there")
    parser.add_argument("--levels", type=int, default=0, metavar="N", help="time so many intervals")
    parser.add_argument("--assets", type=int, default=len(ASSETS), metavar="N", help="of the track (9)")
    arguments = parser.parse_args()
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as folder:
            board = Path(arguments.keep if arguments.keep and count == arguments.counts[-1] else folder)
            measure(count, board, assets=ASSETS[-arguments.assets :])
            if arguments.levels:
                folders = sorted((board / "submissions" / "replica").iterdir())[: arguments.levels]
                taken = ", ".join(f"{each:.1f}" for each in seconds_of_levels(folders))
                print(f"      an entry's interval over all assets: {taken} s")


if __name__ == "__main__":
    main()
