"""`submission.json`: who submits what, and every figure that the runs are claimed to have.

A submission is a folder `<board>/submissions/<track>/<name>__<date>/`; `flagbench.submissions.layout` says
what lies in it. Only its actions and its answers to knowledge items are believed; everything else is computed
anew and must agree. The JSON Schema of the file is `submission.schema.json` beside this module.
"""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from flagbench.agents.training import Setup
from flagbench.settings import Settings

SCHEMA_VERSION: Literal[1] = 1

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
"""Of an entry: it becomes a folder, a branch and a page, so it holds neither slash nor space."""

ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]*$"
"""No control characters, no ends of lines, nothing that turns the direction of what stands beside it."""

Name = Annotated[str, Field(pattern=NAME)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Count = Annotated[int, Field(ge=0)]
Line = Annotated[str, Field(min_length=1, max_length=500, pattern=ONE_LINE)]
"""Text of a submitter's for one cell of a table; whoever shows it must escape it."""
Finite = Annotated[float, Field(allow_inf_nan=False)]


class Code(Settings):
    """Where the agent's code can be read."""

    url: Annotated[str, Field(pattern=r"^https://[^\s<>\"']{3,300}$")] | None
    """Null for an agent that ships with flagbench, and for no other."""
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]
    """Of that repository; of flagbench's own where `url` is null."""


class BackboneCard(Settings):
    """The language model that the agent begins with."""

    name: Line
    cutoff: date | Literal["undated", "unknown"]
    """Last date of what it has read; `undated` if it read nothing that speaks of a date; `unknown`."""
    licence: Line


class CardFields(Settings):
    """What a submitter says, at the head of `card.md`. Only `code.url` is held against anything."""

    name: Name
    """Of the entry on the board."""
    description: Line
    authors: Annotated[tuple[Line, ...], Field(min_length=1, max_length=50)]
    contact: Line | None = None
    licence: Line
    """Of the code."""
    code: Code
    backbone: BackboneCard | None
    """Null for an agent without a language model."""
    training_data: Line
    """What the agent was trained on besides the track's training windows, or `none`."""
    hardware: Line
    trials: Line
    """What else was tried, and how this configuration was chosen; the ledger's own count stands beside it."""


class AgentClaim(Settings):
    """Which agent ran, and with what."""

    name: Line
    """A registered name, or `file.py:Class` without the folders before it."""
    object: Line
    source_sha256: Sha256 | None
    """Of the file that defines the class."""
    ranked: bool
    """False for an agent that was given the future: it calibrates and stands in no ranking."""
    backbone: Line | None
    """As given on the command line."""
    settings: tuple[Line, ...]
    """The same, `name=value`."""
    params: dict[str, Any]
    """With every default filled in, on the first asset."""
    asset_params: dict[str, dict[str, Any]]
    """Params that differ on an asset, since defaults may depend on its texts."""
    setup: Setup | None
    """None for an agent that does not learn."""


class LedgerFile(Settings):
    """A trial ledger as it stood when the submission was prepared."""

    file: Annotated[str, Field(pattern=r"^ledger(-[2-9])?\.jsonl$")]
    head: Sha256
    length: Annotated[int, Field(gt=0)]


class MarketClaim(Settings):
    """Which data was traded."""

    kind: Literal["market", "replica"]
    sha256: Sha256


class KnowledgeClaim(Settings):
    """What the agent's language model answered, and what that came to."""

    suite: Line
    dtype: Line
    batch_size: Annotated[int, Field(gt=0)]
    noise_batch_size: Annotated[int, Field(gt=0)]
    model_before: Sha256
    """Of the weights that answered."""
    model_after: Sha256
    before: Sha256
    """Of the answers' file, `knowledge/<sha256>.jsonl.gz`, uncompressed."""
    noise: Sha256
    after: Sha256
    retention: tuple[dict[str, Any], ...]
    """A comparison a task, and one of the whole suite; `flagbench.knowledge.retention.TaskRetention`."""


class RunClaim(Settings):
    """One seed on one asset."""

    asset: Name
    seed: Seed
    run_id: Line
    created: Line
    """UTC, ISO."""
    market: MarketClaim
    period: tuple[date, date]
    """The test window, both ends included."""
    actions_sha256: Sha256
    metrics: dict[str, Finite | None]
    """Every metric of the test window; null where undefined."""
    identical_to: Line | None
    """The policy that its actions amount to, if any."""
    redundant: Count
    unparsed: Count
    ledger: LedgerFile
    """Where the ledger stood after this trial."""
    knowledge: KnowledgeClaim | None
    usage: dict[str, Any] | None
    """What the agent counted of its answers."""
    observed: dict[str, Any] | None
    """Device, precision and processes of the training."""
    seconds: dict[str, Finite]


class Submission(Settings):
    """The whole file."""

    schema_version: Literal[1]
    track: Name
    track_version: Annotated[int, Field(gt=0)]
    protocol: Line
    protocol_version: Annotated[int, Field(gt=0)]
    protocol_sha256: Sha256
    date: date
    """Of the last run."""
    card: CardFields
    """The head of `card.md` again."""
    card_sha256: Sha256
    agent: AgentClaim
    provenance: tuple[dict[str, Any], ...]
    """Versions, source revision and machine, each that a run had once."""
    ledgers: Annotated[tuple[LedgerFile, ...], Field(min_length=1, max_length=9)]
    runs: Annotated[tuple[RunClaim, ...], Field(min_length=1)]
    """Sorted by asset and seed."""

    @property
    def folder_name(self) -> str:
        """`<name>__<date>`."""
        return f"{self.card.name}__{self.date.isoformat()}"
