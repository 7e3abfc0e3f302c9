"""Submissions with drawn results, as files of a board."""

from datetime import date
from pathlib import Path

import numpy as np

from benchmarks.drawn_results import ASSETS, SEEDS, ZERO, Kind, asset_results, dates, spread_of
from flagbench.board.entry import read_entry
from flagbench.board.joint import HELD, Joint, Level, joint_text, series_sha256
from flagbench.records.ledger import GENESIS
from flagbench.submissions.badge import Badge, write_badge
from flagbench.submissions.layout import CARD, SUBMISSION, badge_path, content_sha256, results_path
from flagbench.submissions.results import (
    AssetResults,
    Endpoint,
    Results,
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

RANKED = 40
"""Reproduced entries at most, whatever the number of submissions: each cost a maintainer a training."""

KINDS = ("flag", "momentum", "dqn", "mlp-ppo", "prompted-llm", "tone-rule", "random")


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
