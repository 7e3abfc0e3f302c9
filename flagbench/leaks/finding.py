"""What a test of the battery found."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flagbench.records.training_log import plain


class Finding(NamedTuple):
    """One test's verdict with the figures behind it.

    Attributes:
        passed: False only where a leak is certain; None where the test gives no verdict.
        figure: plain values by name.
        explanation: what the figures say, in a sentence.
    """

    passed: bool | None
    figure: Mapping[str, Any]
    explanation: str

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"passed": self.passed, "figure": plain(dict(self.figure)), "explanation": self.explanation}
