"""The page of one submission: what it came to, by asset and by seed, its card, audit and manifest."""

from collections.abc import Iterator, Mapping

from markupsafe import Markup

from flagbench.board.card import card_html
from flagbench.board.columns import (
    COLUMNS,
    Cell,
    interval_text,
    number_text,
    trials_text,
    undefined_words,
)
from flagbench.board.entry import Entry
from flagbench.board.shell import Shell, entry_address
from flagbench.board.standing import Standing
from flagbench.board.table import badge_html, marks_html
from flagbench.reports.knowledge_table import knowledge_table, p_value_text
from flagbench.reports.page import (
    Section,
    data_table,
    details,
    facts,
    notes,
    notice,
    paragraph,
)
from flagbench.reports.score_table import TableText
from flagbench.submissions.results import AssetResults

PRETRAINING = {
    "inside": "yes",
    "after": "no",
    "undated": "no: the model read nothing dated",
    "drawn": "no: drawn prices",
    "unknown": "not known",
    "none": "no language model",
}
"""Whether the test window lies inside what the language model read."""


def entry_page(shell: Shell, standing: Standing, entry: Entry, holm: Mapping[tuple[str, str], float]) -> str:
    """The whole page.

    Args:
        shell: of the board.
        standing: the track.
        entry: one of its entries.
        holm: adjusted p-values of the ranked, by entry and asset.
    """
    return shell.page(
        entry_address(standing.id, entry.name),
        entry.label,
        [
            notice(_standing_words(standing, entry)),
            facts(*_facts(standing, entry)),
            Section("figures", "At a glance", [_glance(standing, entry)]),
            Section("curves", "Equity and drawdown", _curves(standing, entry)),
            Section(
                "assets",
                "Asset by asset",
                [_assets_table(standing, entry), _tests_table(standing, entry, holm), *_seed_tables(entry)],
            ),
            Section("knowledge", "Knowledge before and after training", list(_knowledge(entry))),
            Section("card", "Card", [_card_note(), card_html(entry.card, rank=3)]),
            Section("audit", "Audit of the figures that were handed in", list(_audit(entry))),
            Section("manifest", "Manifest", list(_manifest(entry))),
        ],
        lead=entry.submission.card.description,
        wide=True,
    )


def _standing_words(standing: Standing, entry: Entry) -> str:
    if not entry.results.ranked:
        return (
            "Calibration, not ranked: this agent was given the future. It shows what could have been earned."
        )
    if entry.is_buy_and_hold:
        return "This is buy-and-hold, which every agent is held against. It has no rank of its own."
    if entry.status == "reproduced":
        place, many = standing.place(entry), len(standing.ranked)
        if place is None:
            return (
                f"Without a place among {many} ranked on this track: its primary endpoint is "
                f"{undefined_words(entry)}. {_reproduction(entry)}"
            )
        return f"Ranked {place} of {many} on this track. {_reproduction(entry)}"
    if entry.status == "not-reproduced":
        return f"Listed, not ranked: it did not come out as claimed. {_reproduction(entry)}"
    return (
        "Listed, not ranked: all figures were recomputed from the recorded actions, which proves the "
        "arithmetic and no more, since a path may be chosen in hindsight."
    )


def _reproduction(entry: Entry) -> str:
    """What a maintainer found."""
    badge = entry.badge
    if badge is None:
        return ""
    metric = badge.metric.replace("_", " ")
    return (
        f"A maintainer trained seed {badge.seed} on {badge.asset} again: {100 * badge.equal_actions:.1f} "
        f"% of the actions are equal, its {metric} is {number_text(badge.found)}, "
        f"{number_text(badge.claimed)} was claimed, and all claimed seeds have "
        f"{number_text(badge.lowest)} to {number_text(badge.highest)}."
    )


def _facts(standing: Standing, entry: Entry) -> Iterator[str]:
    card = entry.submission.card
    agent = entry.submission.agent
    yield Markup("{} {}").format(badge_html(entry), marks_html(entry))
    yield f"{standing.title}, protocol {entry.results.protocol}; {entry.submission.date.isoformat()}"
    yield Markup("by <bdi>{}</bdi>; agent <bdi>{}</bdi>").format(", ".join(card.authors), agent.name)
    if card.backbone is not None:
        yield Markup("backbone <bdi>{}</bdi>, reading ended: {}").format(
            card.backbone.name, card.backbone.cutoff
        )
    yield Markup('<a href="../../compare.html?track={}&amp;a={}">Hold it against another entry</a>').format(
        standing.id, entry.name
    )


def _glance(standing: Standing, entry: Entry) -> Markup:
    rows = []
    for column in COLUMNS:
        cell, held = column.cell(entry, standing), column.held(standing.reference)
        rows.append([column.heading, _in_one_line(cell), held.text])
    table = TableText("Over all assets and seeds", ["", "this entry", "buy-and-hold"], rows, [])
    return Markup("{}{}").format(
        data_table(table), Markup('<p><a href="../../columns.html">What each of these means</a></p>\n')
    )


def _in_one_line(cell: Cell) -> str:
    if not cell.below:
        return cell.text
    return f"{cell.text} {cell.below}" if cell.below.startswith("[") else f"{cell.text} ({cell.below})"


def _curves(standing: Standing, entry: Entry) -> list[Markup]:
    words = [f"{asset}: {curves.words}" for asset, curves in entry.curves.items()]
    return [
        paragraph(
            "Test window: equity after costs from 1, and below it the drawdown. The wide pale line is "
            "buy-and-hold."
        ),
        Markup('<ul class="legend"></ul>\n<div class="curves" data-track="{}" data-entry="{}">').format(
            standing.id, entry.name
        ),
        Markup(
            "<noscript><p>The curves are drawn by a script; in words they stand below.</p></noscript></div>\n"
        ),
        details("The curves in words", notes(words)),
    ]


def _assets_table(standing: Standing, entry: Entry) -> Markup:
    header = ["asset", "Sharpe ratio [95 %]", "buy-and-hold's", "return, % [95 %]", "buy-and-hold's"]
    header += ["max drawdown, %", "turnover a year", "cost paid, %", "identical to", "inside pre-training"]
    rows = [_asset_row(standing, entry, asset) for asset in entry.results.assets]
    remarks = [remark for asset in entry.results.assets for remark in _sharpe_remarks(asset)]
    return data_table(TableText("Interquartile means over seeds, asset by asset", header, rows, remarks))


def _sharpe_remarks(asset: AssetResults) -> list[str]:
    """Why seeds have no Sharpe ratio, and how many."""
    sharpe = asset.summary["sharpe_ratio"]
    some = f" ({sharpe.undefined} of {len(sharpe.values)} seeds)" if sharpe.undefined else ""
    return [f"{asset.asset}: {reason}{some}" for reason in sharpe.reasons]


def _asset_row(standing: Standing, entry: Entry, asset: AssetResults) -> list[str]:
    sharpe, earned = asset.summary["sharpe_ratio"], asset.summary["cumulative_return"]
    held = asset.held.metrics
    test = standing.joint.tests.get(asset.asset)
    returned = (
        f"{number_text(earned.iqm, 'fraction')} {interval_text(earned.low, earned.high, 'fraction')}".strip()
    )
    if test is not None and test.in_set.get(entry.name, False):
        returned = Markup("<strong>{}</strong>").format(returned)
    collapsed = [f"{name} in {count} of {len(asset.seeds)}" for name, count in asset.collapsed.items()]
    return [
        asset.asset,
        f"{number_text(sharpe.iqm)} {interval_text(sharpe.low, sharpe.high)}".strip(),
        number_text(held["sharpe_ratio"]),
        returned,
        number_text(held["cumulative_return"], "fraction"),
        number_text(asset.summary["max_drawdown"].iqm, "fraction"),
        number_text(asset.summary["turnover"].iqm),
        number_text(asset.summary["cost_paid"].iqm, "fraction"),
        ", ".join(collapsed) or "–",
        PRETRAINING[asset.pretraining],
    ]


def _tests_table(standing: Standing, entry: Entry, holm: Mapping[tuple[str, str], float]) -> Markup:
    header = ["asset", "test window", "returns", "PSR", "DSR", "N", "Sharpe less buy-and-hold's [95 %]", "p"]
    header += ["p (Holm)", "detectable", "SPA, p"]
    rows = []
    for asset in entry.results.assets:
        paired, test = asset.paired, standing.joint.tests.get(asset.asset)
        adjusted = holm.get((entry.name, asset.asset))
        rows.append(
            [
                asset.asset,
                f"{asset.period[0]} to {asset.period[1]}",
                str(asset.bars - 1),
                _share(asset.psr.iqm),
                _share(asset.dsr.iqm),
                str(asset.n_trials),
                f"{number_text(paired.value)} {interval_text(paired.low, paired.high)}".strip(),
                _p_value(paired.p_value),
                _p_value(adjusted),
                number_text(paired.smallest_detectable),
                _p_value(None if test is None else test.spa_p_value),
            ]
        )
    remarks = [
        f"{asset.asset}: {asset.paired.reason}" for asset in entry.results.assets if asset.paired.reason
    ]
    remarks += [
        f"p (Holm): adjusted over {len(holm)} tests of the ranked entries of this track; an entry that is "
        "not ranked has none. Detectable: the true difference that the test would find with 80 % power. "
        "SPA: whether any ranked agent earns more a day than buy-and-hold."
    ]
    return data_table(TableText("Tests against buy-and-hold on the same days", header, rows, remarks))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _p_value(value: float | None) -> str:
    return "–" if value is None else p_value_text(value)


def _seed_tables(entry: Entry) -> Iterator[Markup]:
    header = ["asset, seed", "Sharpe ratio", "return, %", "max drawdown, %", "trades", "exposure, %"]
    header += ["redundant", "unparsed", "identical to", "timing p"]
    rows = [
        [
            f"{asset.asset}, {seed.seed}",
            number_text(seed.metrics["sharpe_ratio"]),
            number_text(seed.metrics["cumulative_return"], "fraction"),
            number_text(seed.metrics["max_drawdown"], "fraction"),
            number_text(seed.metrics["trades"], "count"),
            number_text(seed.metrics["exposure"], "fraction"),
            str(seed.redundant),
            str(seed.unparsed),
            seed.identical_to or "–",
            _share(seed.timing_p_value),
        ]
        for asset in entry.results.assets
        for seed in asset.seeds
    ]
    yield details("Seed by seed", data_table(TableText("Every seed", header, rows, [])))


def _knowledge(entry: Entry) -> Iterator[Markup]:
    asked = [(asset, asset.knowledge) for asset in entry.results.assets if asset.knowledge is not None]
    if not asked:
        yield paragraph("No language model was asked, so there is no knowledge to keep or lose.")
        return
    header = ["asset", "before, %", "after, %", "least … most after"]
    rows = [
        [
            asset.asset,
            number_text(found.before.iqm, "fraction"),
            number_text(found.after.iqm, "fraction"),
            " … ".join(number_text(end, "fraction") for end in (found.after.minimum, found.after.maximum)),
        ]
        for asset, found in asked
    ]
    title = f"Right answers of suite {asked[0][1].suite}, marked anew from the answers"
    yield data_table(TableText(title, header, rows, []))
    for asset, _ in asked:
        runs = {f"seed {seed.seed}": seed.knowledge for seed in asset.seeds}
        # The sentences below it in a report would be most of the page, with five seeds on nine assets.
        table = knowledge_table(f"{asset.asset}: tasks", runs)._replace(notes=[])
        yield details(f"{asset.asset}, task by task", data_table(table))


def _card_note() -> Markup:
    return facts("The submitter's own words; nothing of it is checked.")


def _audit(entry: Entry) -> Iterator[Markup]:
    found = [(asset.asset, audit) for asset in entry.results.assets for audit in asset.audit]
    if not found:
        yield paragraph("No figures were audited.")
        return
    flagged = [pair for pair in found if pair[1].flags or pair[1].verdict in {"unreachable", "undecided"}]
    words = (
        f"{len(flagged)} of {len(found)} rows are flagged, or cannot be reached."
        if flagged
        else f"All {len(found)} rows can be had on these prices, and none is flagged."
    )
    yield paragraph(words)
    header = ["asset, seed", "verdict", "flags", "why"]
    rows = [
        [f"{asset}, {audit.seed}", audit.verdict, ", ".join(audit.flags) or "–", audit.explanation]
        for asset, audit in found
    ]
    yield details("Row by row", data_table(TableText("Audit", header, rows, [], numeric=False)))


def _manifest(entry: Entry) -> Iterator[Markup]:
    submission = entry.submission
    card, agent = submission.card, submission.agent
    setup = "does not learn" if agent.setup is None else _settings(agent.setup.model_dump(mode="json"))
    rows: list[list[str]] = [
        ["entry", Markup("<bdi>{}</bdi>").format(entry.name)],
        ["track", f"{submission.track} v{submission.track_version}"],
        ["protocol", f"{submission.protocol} v{submission.protocol_version}"],
        ["authors", Markup("<bdi>{}</bdi>").format(", ".join(card.authors))],
        ["contact", Markup("<bdi>{}</bdi>").format(card.contact or "–")],
        ["licence of the code", card.licence],
        ["code", "ships with flagbench" if card.code.url is None else link_html(card.code.url)],
        ["commit", card.code.commit],
        ["agent", agent.name],
        ["its class", agent.object],
        ["sha256 of its file", agent.source_sha256 or "–"],
        ["params given", ", ".join(agent.settings) or "none"],
        ["params", _settings(agent.params)],
        ["set-up", setup],
        ["training data", card.training_data],
        ["hardware", card.hardware],
        ["trials, in the submitter's words", card.trials],
        ["trials in the ledger", f"N = {trials_text(entry)}"],
        ["ledgers", ", ".join(f"{ledger.file}: {ledger.length} entries" for ledger in submission.ledgers)],
        ["sha256 of the submission", entry.results.submission_sha256],
        ["recomputed by", f"flagbench {entry.results.flagbench}"],
    ]
    if card.backbone is not None:
        backbone = card.backbone
        rows[6:6] = [
            ["backbone", Markup("<bdi>{}</bdi>").format(backbone.name)],
            ["reading ended", str(backbone.cutoff)],
            ["licence of the backbone", backbone.licence],
        ]
    yield data_table(TableText("What was handed in", ["", "value"], rows, [], numeric=False))
    markets = [[asset.asset, asset.kind, asset.market_sha256] for asset in entry.results.assets]
    header = ["asset", "kind", "sha256 of the market"]
    runs = [
        [f"{run.asset}, {run.seed}", run.run_id, run.created, run.actions_sha256] for run in submission.runs
    ]
    yield details(
        "Hashes of markets and actions",
        data_table(TableText("Markets", header, markets, [], numeric=False)),
        data_table(
            TableText("Runs", ["asset, seed", "run", "written", "sha256 of actions"], runs, [], numeric=False)
        ),
    )


def link_html(address: str) -> Markup:
    """A link to a page elsewhere, where its address is one; else its text."""
    if not address.startswith("https://"):
        return Markup("<bdi>{}</bdi>").format(address)
    return Markup('<a href="{0}" rel="nofollow noopener noreferrer ugc"><bdi>{0}</bdi></a>').format(address)


def _settings(values: dict[str, object]) -> str:
    return ", ".join(f"{name} {'–' if value is None else value}" for name, value in values.items()) or "none"
