"""Where the rows of a public data set come from: a data folder, else the hub.

lm-eval calls the functions that a task's YAML names under `custom_dataset` with the YAML's `metadata` and
`dataset_kwargs`; the functions in `choice_items` and `numeric_items` read their rows here.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import Field

from flagbench.errors import ConfigError
from flagbench.market.loading import cache_folder, data_folder
from flagbench.settings import Settings, parse

if TYPE_CHECKING:
    from datasets import Dataset

Row = Mapping[str, Any]


class Rows(NamedTuple):
    """Rows with the place they came from."""

    rows: list[Row]
    origin: str


SPLIT = "test"
"""The only split of a data set of ours, whatever split the rows are of in their source."""


class Hub(Settings):
    """Where `datasets` or the hub's client finds the rows that a data folder does not have."""

    path: str
    """A data set's id, or a format such as `csv` together with `data_files`."""
    name: str | None = None
    """The data set's configuration."""
    split: str = "test"
    revision: str | None = None
    data_files: dict[str, str] | None = None
    file: str | None = None
    """A JSON file of the data set with a list in it, read as it is; columns of mixed types do not load."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Name of a column there to its name in a data folder's rows."""


def read_rows(file: str, *, hub: Mapping[str, Any] | None, data: str | None) -> Rows:
    """The rows of a data folder's file, or of the hub's data set where no folder has the file.

    Args:
        file: below a data folder, such as `qa/finqa/test.jsonl.gz`.
        hub: the fields of `Hub`; None for a data set that is not on the hub.
        data: a folder instead of FLAGBENCH_DATA or the user's cache folder.

    Raises:
        ConfigError: neither has the rows, the file is broken, or the folder that was named does not exist.
    """
    folder = data_folder(data)
    if not folder.path.is_dir() and folder.path != cache_folder():
        raise ConfigError(f"no knowledge data: {folder.path} ({folder.named_by}) is no folder")
    if (folder.path / file).is_file():
        return Rows(list(_lines(folder.path / file)), f"data folder, {file}")
    hint = f"put it into a data folder as {file} and name the folder by --data or FLAGBENCH_DATA"
    if hub is None:
        raise ConfigError(f"knowledge data is missing: no data folder has {file}", hint=hint)
    source = parse(Hub, hub, origin=f"hub of {file}")
    try:
        rows = _hub_rows(source)
    except Exception as error:  # datasets and its many readers raise errors of their own
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise ConfigError(
            f"knowledge data is missing: no data folder has {file}, and {source.path} cannot be fetched: "
            f"{first_line}",
            hint=f"connect to a network, or {hint}",
        ) from error
    named: list[Row] = [
        {source.columns.get(name, name): value for name, value in row.items()} for row in rows
    ]
    return Rows(named, f"hub, {source.path}")


def packaged_rows(package: str, file: str) -> Rows:
    """The rows of a JSONL file that an installed package ships.

    Args:
        package: its import name; a path would be relative to the working directory.
        file: below the package.

    Raises:
        ConfigError: the file is missing or broken.
    """
    path = Path(str(files(package) / file))
    if not path.is_file():
        raise ConfigError(
            f"knowledge data is missing: {package} ships no {file}", hint="reinstall the package"
        )
    return Rows(list(_lines(path)), f"{package}, {file}")


def as_dataset(items: Iterable[Row], *, origin: str) -> "dict[str, Dataset]":
    """Items as lm-eval takes them: one split of a data set.

    Ids that occur again get a number, so that the same rows have the same ids every time.

    Args:
        items: with `id`, `cluster` and `kind`, and whatever the task's YAML writes into the prompt.
        origin: where they came from.

    Raises:
        ConfigError: there are no items.
    """
    from datasets import Dataset, DatasetInfo

    seen: dict[str, int] = {}
    numbered = []
    for item in items:
        count = seen[item["id"]] = seen.get(item["id"], 0) + 1
        numbered.append({**item, "id": item["id"] if count == 1 else f"{item['id']}#{count}"})
    if not numbered:
        raise ConfigError(f"{origin}: there are no items")
    return {SPLIT: Dataset.from_list(numbered, info=DatasetInfo(description=origin))}


def _hub_rows(source: Hub) -> Iterable[Row]:
    if source.file is not None:
        from huggingface_hub import hf_hub_download

        local = Path(source.path) / source.file
        path = (
            local if local.is_file() else Path(hf_hub_download(source.path, source.file, repo_type="dataset"))
        )
        rows: list[Row] = json.loads(path.read_text(encoding="utf-8"))
        return rows
    from datasets import load_dataset

    given = {"name": source.name, "revision": source.revision, "data_files": source.data_files}
    loaded = load_dataset(
        source.path, split=source.split, **{k: v for k, v in given.items() if v is not None}
    )
    return list(loaded)


def _lines(path: Path) -> Iterator[Row]:
    number = 0
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
        for number, line in enumerate(text.split("\n"), 1):
            if not line:
                continue
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ConfigError(f"{path}, line {number}: an object is needed")
            yield row
    except (OSError, EOFError, ValueError) as error:
        raise ConfigError(f"{path}, line {number or 1}: no JSON lines: {error}") from error
