"""`flagbench leaderboard reproduce`: train one seed of a submission again and write its badge."""

import argparse
import os
import random
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flagbench.errors import ConfigError, RecordError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagbench.experiment import RunMonitor
    from flagbench.planning import Plan, RunSpec
    from flagbench.submissions.agent_checks import Difference
    from flagbench.submissions.badge import Badge
    from flagbench.submissions.run_checks import CheckedRun
    from flagbench.submissions.submission import Submission
    from flagbench.submissions.track import Track
    from flagbench.submissions.validating import Checked


def add_reproduce(parser: argparse.ArgumentParser) -> None:
    """Flags of `flagbench leaderboard reproduce`."""
    parser.add_argument("submission", metavar="DIR", help="a submission's folder")
    parser.add_argument("--seed", type=int, metavar="K", help="which seed (drawn by chance)")
    parser.add_argument("--asset", help="on which asset (drawn by chance)")
    parser.add_argument(
        "--agent", metavar="FILE.py:CLASS", help="where the agent lies here, if it is not one of flagbench's"
    )
    parser.add_argument("--track", metavar="NAME|FILE", help="a track's name or YAML file (as it says)")
    parser.add_argument("--data", metavar="FOLDER", help="a data folder")
    parser.add_argument("--out", metavar="FOLDER", help="keep the new run there (it is not kept)")
    parser.add_argument("--badge", metavar="FILE", help="where the badge goes (the board's badges)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def reproduce_command(arguments: argparse.Namespace) -> int:
    """Validate, train, compare, write the badge.

    Returns:
        1 if the seed could not be reproduced.
    """
    from flagbench.submissions.badge import write_badge
    from flagbench.submissions.layout import badge_path

    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("a badge is made in one process", hint="start it without torchrun")
    folder = Path(arguments.submission)
    path = Path(arguments.badge) if arguments.badge else badge_path(folder)
    checked = _valid(folder, arguments)
    run = _chosen(checked, arguments)
    with _place(arguments.out) as out:
        badge = _reproduced(folder, checked, run, arguments, out=Path(out))
    write_badge(badge, path)
    if arguments.json:
        from flagbench.cli.printing import print_json

        print_json(badge.model_dump(mode="json"))
    else:
        _print(badge)
        print(path)
    return int(badge.status != "reproduced")


def _place(out: str | None) -> AbstractContextManager[str]:
    return nullcontext(out) if out is not None else tempfile.TemporaryDirectory(prefix="flagbench-")


def _valid(folder: Path, arguments: argparse.Namespace) -> "Checked":
    from flagbench.cli.submit import named_track
    from flagbench.submissions.validating import validate

    checked = validate(folder, track=named_track(arguments), data=arguments.data)
    if checked.failures:
        raise RecordError(
            f"{folder} is no valid submission: {checked.failures[0]}",
            hint=f"flagbench submit validate {folder}",
        )
    return checked


def _chosen(checked: "Checked", arguments: argparse.Namespace) -> "CheckedRun":
    """The run to be trained again, drawn from those that were meant: no submitter can foresee it."""
    meant = [
        run
        for run in checked.runs
        if arguments.asset in (None, run.claim.asset) and arguments.seed in (None, run.claim.seed)
    ]
    if meant:
        return random.SystemRandom().choice(meant)
    assets = sorted({run.claim.asset for run in checked.runs})
    seeds = sorted({run.claim.seed for run in checked.runs})
    raise ConfigError(
        f"the submission has no run of seed {arguments.seed} on {arguments.asset}",
        hint=f"it has seeds {', '.join(map(str, seeds))} on {', '.join(assets)}",
    )


def _reproduced(
    folder: Path, checked: "Checked", run: "CheckedRun", arguments: argparse.Namespace, *, out: Path
) -> "Badge":
    """Train the chosen seed as the submission says, and hold both beside each other."""
    from flagbench.comparison.replaying import play
    from flagbench.experiment import run_seed
    from flagbench.planning import plans
    from flagbench.records.action_file import read_actions
    from flagbench.records.run_record import read_record
    from flagbench.submissions.agent_checks import differences_after, differences_before
    from flagbench.submissions.layout import content_sha256
    from flagbench.submissions.reproduction import judge

    submission, track = checked.submission, checked.track
    if submission is None or track is None:
        raise RecordError(f"{folder} is no valid submission")
    spec = _spec(submission, track, run, arguments, out=out)
    (plan,) = plans(spec, market=run.market)
    _refuse_another(differences_before(plan.agent, submission.agent), submission)
    print(f"running {spec.agent} again on {run.claim.asset}, seed {run.claim.seed}", file=sys.stderr)
    with _progress(plan, run.claim.seed) as monitor:
        made = run_seed(plan, run.claim.seed, monitor)
    if made is None:
        raise RecordError("the training wrote no run")
    test = run.market.asset.windows.test
    bars = run.market.bar_range(test)
    actions = read_actions(made / "actions.csv", run.market.dates[bars.start : bars.stop]).actions
    if actions is None:
        raise RecordError(f"{made} holds no actions")
    record = read_record(made)
    _refuse_another(differences_after(record.params, submission.agent, run.claim.asset), submission)
    return judge(
        run,
        [each for each in checked.runs if each.claim.asset == run.claim.asset],
        actions,
        play(run.market, run.protocol, [(test, actions)]),
        digest=content_sha256(folder),
        learns=plan.agent.trains,
        provenance={**record.provenance, "observed": record.observed},
        now=datetime.now(UTC),
    )


def _refuse_another(differences: "Iterator[Difference]", submission: "Submission") -> None:
    """No badge for one agent from the training of another."""
    from flagbench.submissions.failure import shown

    code = submission.card.code
    for what, here, claimed in differences:
        raise RecordError(
            f"the agent here is not the one that was submitted: {what} is {shown(here)} here and "
            f"{shown(claimed)} in the submission",
            hint=f"take commit {code.commit} of {code.url or 'flagbench'}; --agent names a file of an agent "
            "that does not ship",
        )


def _spec(
    submission: "Submission", track: "Track", run: "CheckedRun", arguments: argparse.Namespace, *, out: Path
) -> "RunSpec":
    """What the submission's runs were asked for. Items are not asked: asking changes no action."""
    from flagbench.planning import NO_KNOWLEDGE, RunSpec

    agent = submission.agent
    if ".py:" in agent.name and arguments.agent is None:
        raise ConfigError(
            f"the agent is {agent.name}, which lies in {submission.card.code.url}",
            hint="get it from there and name it: --agent FILE.py:CLASS",
        )
    setup = agent.setup
    return RunSpec(
        agent=arguments.agent or agent.name,
        asset=run.claim.asset,
        protocol=track.protocol,
        seeds=(run.claim.seed,),
        backbone=agent.backbone,
        data=track.data or arguments.data,
        env_steps=None if setup is None else setup.env_steps,
        num_envs=None if setup is None else setup.num_envs,
        precision=None if setup is None else setup.mixed_precision,
        settings=agent.settings,
        knowledge=NO_KNOWLEDGE,
        out=out,
    )


def _progress(plan: "Plan", seed: int) -> "AbstractContextManager[RunMonitor]":
    from flagbench.experiment import SilentRun

    if plan.setup is None:
        return nullcontext(SilentRun())
    from flagbench.cli.progress import RunProgress

    return RunProgress(f"{plan.agent.name} {plan.market.label} seed {seed}", plan.setup.env_steps)


def _print(badge: "Badge") -> None:
    def shown(value: float | None) -> str:
        return "undefined" if value is None else f"{value:.4f}"

    print(f"{badge.status}: {badge.asset} seed {badge.seed}")
    print(f"equal actions: {badge.equal_actions:.1%}{', all of them' if badge.exact else ''}")
    seeds = f"the submission's seeds go from {shown(badge.lowest)} to {shown(badge.highest)}"
    print(f"Sharpe ratio: {shown(badge.found)} found, {shown(badge.claimed)} submitted; {seeds}")
    if badge.tolerance is not None and not badge.exact:
        print(f"a submitted ratio may stand above the one found by up to {badge.tolerance:.4f}")
