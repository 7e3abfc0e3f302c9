"""Rewritten futures: nothing that an agent does at a bar may depend on what comes after it."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from flagbench.leaks.chance import as_actions, wins
from flagbench.leaks.jobs import Outcome
from flagbench.leaks.rewriting import Future, rewritten
from flagbench.leaks.subject import Subject, Version
from flagbench.market.draws import stream, uniforms

CUTS = 4
"""Bars of the test window after which all is rewritten, a seed. Not stated beyond "several"."""

OPPOSITES: tuple[Future, Future] = ("boom", "crash")
"""Whoever uses what comes, answers these two differently."""

CHANCE_MARKETS = 8
"""Whose whole test window is drawn, a seed: the fewest of which chance wins no more than three."""

Say = Callable[[str], None]


class Plain(NamedTuple):
    """What the agent does on the true market."""

    outcome: Outcome
    checkpoint: Path | None
    """What it learnt there; None for an agent that does not learn."""


class FutureCanary(NamedTuple):
    """What one seed's rewritten futures changed."""

    rewritten: int
    changed: int
    """Rewritings that changed an action at or before the last bar that stayed."""
    first_change: str | None
    """The date of the first such action."""
    repeatable: bool
    """Whether two runs on the same market gave the same actions; asked only where some changed."""
    markets: int
    won: int
    """Of the markets whose future is chance."""
    opened: tuple[str, ...]
    """Files of the true market that the agent found by itself."""


class TrainingCanary(NamedTuple):
    """What one seed's trainings with a rewritten test window changed."""

    trainings: int
    weights_changed: int
    actions_changed: int
    """Trainings after which an action in the training window or at the first test bar was another."""
    repeatable: bool
    """Whether two trainings on the same market gave the same; asked only where something changed."""


def cut_bars(subject: Subject, seed: int) -> list[int]:
    """Indices of bars of the test window with a decision, rising: one at random from each of four parts."""
    bars = subject.market.bar_range(subject.market.asset.windows.test)
    decisions = len(bars) - 1
    numbers = uniforms(stream(seed, "leaks", "cuts"), CUTS)
    return sorted({bars.start + int((part + numbers[part]) * decisions / CUTS) for part in range(CUTS)})


def future_canary(subject: Subject, seed: int, checkpoint: Path | None, *, say: Say) -> FutureCanary:
    """Play on markets that are the true one up to a bar, and compare all actions up to it.

    Args:
        subject: the agent.
        seed: of the agent and of what is drawn.
        checkpoint: what the agent learnt on the true market; it is read anew for every version.
        say: told how it goes.
    """
    true, begin = subject.market, subject.market.bar_range(subject.market.asset.windows.test).start
    cuts: list[tuple[int, Future]] = [
        (cut, future) for cut in cut_bars(subject, seed) for future in OPPOSITES
    ]
    chances = range(seed * CHANCE_MARKETS, (seed + 1) * CHANCE_MARKETS)
    say(f"seed {seed}: future canary")
    # The true market has a batch of its own: whoever searches the process of another finds no way to it.
    base = subject.play(true, seed=seed, checkpoint=checkpoint)
    rewritings = [Version(rewritten(true, cut, future, seed=seed), seed) for cut, future in cuts]
    drawn = [Version(rewritten(true, begin, "chance", seed=number), seed) for number in chances]
    others = subject.play_all([*rewritings, *drawn], checkpoint=checkpoint)
    changes: list[int] = []
    for (cut, _), other in zip(cuts, others, strict=False):
        pairs = zip(base.actions["test"], other.actions["test"][: cut - begin + 1], strict=False)
        changes += [bar for bar, (own, changed) in enumerate(pairs) if own != changed][:1]
    won = sum(
        wins(version.market, subject.protocol, as_actions(outcome.actions["test"]))
        for version, outcome in zip(drawn, others[len(cuts) :], strict=True)
    )
    repeatable = not changes or subject.play(true, seed=seed, checkpoint=checkpoint).actions == base.actions
    first = str(true.dates[begin + min(changes)]) if changes else None
    opened = dict.fromkeys(path for each in (base, *others) for path in each.opened)
    return FutureCanary(
        len(cuts), len(changes), first, repeatable, markets=len(drawn), won=won, opened=tuple(opened)
    )


def learn(subject: Subject, seed: int, folder: Path) -> Plain:
    """Train on the true market, if the agent learns, and play both windows in the same process."""
    checkpoint = None
    if subject.setup is not None:
        checkpoint = folder / f"seed-{seed}"
        checkpoint.mkdir()
    outcome = subject.play(
        subject.market,
        seed=seed,
        checkpoint=checkpoint,
        learns=subject.setup is not None,
        windows=("train", "test"),
    )
    return Plain(outcome, checkpoint)


def training_canary(subject: Subject, seed: int, plain: Plain, *, say: Say) -> TrainingCanary:
    """Train with every test bar but the first rewritten, and compare what was learnt.

    Args:
        subject: an agent that learns.
        seed: of the trainings.
        plain: the training on the true market.
        say: told how it goes.
    """
    begin = subject.market.bar_range(subject.market.asset.windows.test).start
    own = _learnt(plain)
    weights, actions = 0, 0
    for future in OPPOSITES:
        say(f"seed {seed}: training canary, {future}")
        market = rewritten(subject.market, begin, future, seed=seed)
        with TemporaryDirectory(prefix="flagbench-") as folder:
            subject_there = subject._replace(market=market)
            other = _learnt(learn(subject_there, seed, Path(folder)))
        weights += other[0] != own[0]
        actions += other[1] != own[1]
    repeatable = True
    if weights or actions:
        say(f"seed {seed}: training canary, the same market again")
        with TemporaryDirectory(prefix="flagbench-") as folder:
            repeatable = _learnt(learn(subject, seed, Path(folder))) == own
    return TrainingCanary(len(OPPOSITES), weights, actions, repeatable)


def _learnt(plain: Plain) -> tuple[str, tuple[int, ...]]:
    """Digest of all files of a checkpoint; actions of the training window and at the first test bar."""
    digest = sha256()
    folder = plain.checkpoint
    for path in sorted(folder.rglob("*")) if folder is not None else ():
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(folder or path)} {len(content)}\n".encode() + content)
    actions = plain.outcome.actions
    return digest.hexdigest(), (*actions["train"], actions["test"][0])
