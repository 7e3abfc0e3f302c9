"""What a run's answers come to before and after training, recomputed and held against the claim."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flagbench.comparison.replaying import TOLERANCE
from flagbench.errors import ComparabilityError
from flagbench.knowledge.results import SuiteResult
from flagbench.knowledge.retention import TaskRetention, retention
from flagbench.submissions.failure import MOST, Failure, failure
from flagbench.submissions.layout import SUBMISSION, samples_file
from flagbench.submissions.reading import Manifest
from flagbench.submissions.regrading import gold_suite, regrade
from flagbench.submissions.samples import read_samples
from flagbench.submissions.submission import KnowledgeClaim


class KnowledgeChecks:
    """Scores the answers of a submission, each file once.

    Args:
        folder: of the submission.
        manifest: of it.
        files: of the folder that may be opened.
        data: a data folder, for suites that need one.
    """

    def __init__(self, folder: Path, manifest: Manifest, *, files: Sequence[str], data: str | None) -> None:
        self._folder, self._manifest, self._data = folder, manifest, data
        self._files = frozenset(files)
        self._results: dict[tuple[Any, ...], SuiteResult | None] = {}
        self._compared: dict[tuple[Any, ...], tuple[TaskRetention, ...]] = {}

    def of(self, index: int) -> tuple[tuple[TaskRetention, ...] | None, list[Failure]]:
        """The retention of one run, recomputed; None for one that was not asked, or whose answers are wrong.

        Raises:
            FlagbenchError: the suite is not installed here, or its data is missing.
        """
        claim = self._manifest.submission.runs[index].knowledge
        if claim is None:
            return None, []
        wanted = {
            "before": (claim.before, claim.batch_size, claim.model_before),
            "after": (claim.after, claim.batch_size, claim.model_after),
            "noise": (claim.noise, claim.noise_batch_size, claim.model_before),
        }
        failures: list[Failure] = []
        results: dict[str, SuiteResult] = {}
        for name, (digest, batch_size, model) in wanted.items():
            result, wrong = self._graded(claim, digest, batch_size=batch_size, model=model)
            failures += wrong
            if result is not None:
                results[name] = result
        if len(results) < len(wanted):
            return None, failures
        key = (claim.suite, claim.dtype, *wanted.values())
        try:
            if key not in self._compared:
                self._compared[key] = retention(results["before"], results["after"], results["noise"])
        except ComparabilityError as error:
            line = self._manifest.lines.of("runs", index, "knowledge")
            expected = "answers that can be compared"
            what = f"runs.{index}.knowledge"
            return None, [failure(SUBMISSION, what, found=error.message, expected=expected, line=line)]
        found = self._compared[key]
        return found, self._claim_failures(index, claim, found)

    def _graded(
        self, claim: KnowledgeClaim, digest: str, *, batch_size: int, model: str
    ) -> tuple[SuiteResult | None, list[Failure]]:
        """A file's answers, scored; what is wrong with a file is said once."""
        key = (digest, claim.suite, batch_size, claim.dtype, model)
        if key in self._results:
            return self._results[key], []
        result: SuiteResult | None = None
        if samples_file(digest) not in self._files:
            return None, []  # said of the files already
        samples, failures = read_samples(self._folder, digest)
        if samples is not None:
            result, failures = regrade(
                samples,
                gold_suite(claim.suite, self._data),
                suite=claim.suite,
                batch_size=batch_size,
                dtype=claim.dtype,
                model_sha256=model,
            )
        self._results[key] = result
        return result, failures

    def _claim_failures(
        self, index: int, claim: KnowledgeClaim, found: tuple[TaskRetention, ...]
    ) -> list[Failure]:
        own = [task.to_json() for task in found]
        if len(own) != len(claim.retention):
            line = self._manifest.lines.of("runs", index, "knowledge", "retention")
            what, counts = f"runs.{index}.knowledge.retention", (len(claim.retention), len(own))
            return [failure(SUBMISSION, what, found=counts[0], expected=counts[1], line=line)]
        failures = []
        for number, (mine, theirs) in enumerate(zip(own, claim.retention, strict=True)):
            for name in sorted({*mine, *theirs}):
                if not _agrees(theirs.get(name), mine.get(name)):
                    place = ("runs", index, "knowledge", "retention", number, name)
                    failures.append(
                        failure(
                            SUBMISSION,
                            ".".join(str(part) for part in place),
                            found=theirs.get(name),
                            expected=mine.get(name),
                            line=self._manifest.lines.of(*place),
                        )
                    )
        return failures[:MOST]


def _agrees(found: Any, expected: Any) -> bool:
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        return {*found} == {*expected} and all(_agrees(found[name], expected[name]) for name in expected)
    both = (found, expected)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in both):
        return math.isclose(found, expected, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
    return bool(found == expected)
