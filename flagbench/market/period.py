"""A period: first and last date, both included."""

from datetime import date
from typing import NamedTuple, Self

from flagbench.errors import ConfigError


class Period(NamedTuple):
    """First and last calendar date of a window; both ends belong to it."""

    first: date
    last: date

    @classmethod
    def of(cls, first: date, last: date) -> Self:
        """A checked period.

        Raises:
            ConfigError: the last date lies before the first.
        """
        if last < first:
            raise ConfigError(f"a period must not end before it begins, given {first} to {last}")
        return cls(first, last)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2020-07-01:2020-09-30`.

        Raises:
            ConfigError: not two ISO dates, or in the wrong order.
        """
        first, colon, last = text.partition(":")
        try:
            if not colon:
                raise ValueError
            dates = date.fromisoformat(first.strip()), date.fromisoformat(last.strip())
        except ValueError:
            raise ConfigError(
                f"`{text}` is no period", hint="write two ISO dates: 2020-07-01:2020-09-30"
            ) from None
        return cls.of(*dates)

    def __str__(self) -> str:
        return f"{self.first}:{self.last}"
