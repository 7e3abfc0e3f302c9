"""An asset: what it is, which windows are used, where its files lie and where they come from."""

from datetime import date
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator

from flagbench.errors import ConfigError
from flagbench.market.period import Period
from flagbench.market.replica_params import ReplicaParams
from flagbench.registry import task_files
from flagbench.settings import Settings, read_installed


def _period(value: object) -> Period:
    """YAML gives a string `first:last` or a pair of dates."""
    try:
        if isinstance(value, str):
            return Period.parse(value)
        if isinstance(value, (list, tuple)) and all(type(item) is date for item in value) and len(value) == 2:
            return Period.of(*value)
    except ConfigError as error:
        raise ValueError(error.message) from None
    raise ValueError("two ISO dates are expected, such as 2020-07-01:2020-09-30")


ISO_DATE = r"\d{4}-\d{2}-\d{2}"
PeriodField = Annotated[Period, BeforeValidator(_period), PlainSerializer(str, when_used="json")]


class Windows(Settings):
    """The two windows of an asset: an agent learns on the first and is scored on the second."""

    train: PeriodField
    test: PeriodField


class Calendar(Settings):
    """Which days have a bar, and how many such days make a year."""

    exchange: Literal["XNYS", "24/7", "weekdays"]
    """`XNYS` and `24/7` as exchange_calendars names them; `weekdays` when the holidays are not known."""
    periods_per_year: Annotated[int, Field(gt=0)]


class Files(Settings):
    """Where the asset's files lie below `<data folder>/market`; a null file does not exist."""

    prices: str
    investorbench: str | None = None
    """InvestorBench's own price file; null too where that file has gaps."""
    text: str | None = None


class Source(Settings):
    """One public file from which a file of the asset is made, pinned."""

    makes: list[str]
    repository: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$")]
    """Owner and name on GitHub."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
    path: str
    licence: str
    size: Annotated[int, Field(gt=0)]
    """In bytes."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    days_later: int = 0
    """How many days its labels are moved forward, before `rows` is asked."""
    rows: Annotated[str, Field(pattern=rf"^({ISO_DATE})?\.\.({ISO_DATE})?$")] | None = None
    """Which dates of it are used, such as `2021-01-01..2023-06-30`, either end open; null for all."""
    volume: bool = True
    """Whether its volume is used; if not, volume is left empty."""

    @field_validator("repository", "path")
    @classmethod
    def _stays_below_its_folder(cls, value: str) -> str:
        if value.startswith("/") or "\\" in value or not {"", ".", ".."}.isdisjoint(value.split("/")):
            raise ValueError("a relative path is expected, with no `.` or `..` in it")
        return value

    def covers(self, day: str) -> bool:
        """Whether the row of an ISO date is used."""
        first, _, last = (self.rows or "..").partition("..")
        return first <= day and (not last or day <= last)


class Asset(Settings):
    """One tradable thing with daily bars."""

    id: str
    version: Annotated[int, Field(gt=0)]
    name: str
    asset_class: Literal["equity", "crypto"]
    currency: str
    calendar: Calendar
    windows: Windows
    files: Files
    sources: tuple[Source, ...] = ()
    content_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """Content hash of the market that is built from the sources alone; null where it is not known."""
    replica: ReplicaParams | None = None
    """What a drawn market that looks like the asset is drawn with; null where none can be drawn."""
    notes: str = ""


def asset_names() -> list[str]:
    """Ids of all installed assets, sorted."""
    return sorted(task_files("assets"))


def load_asset(name: str) -> Asset:
    """The installed asset of that id, or one described by a YAML file of the user's.

    Raises:
        UnknownNameError: no such asset.
        ConfigError: the YAML file is broken.
    """
    return read_installed(Asset, name, kind="asset", installed=task_files("assets"))
