"""The JSON Schema of `submission.json`, for who writes or reads one without Python.

The file beside this module is written by `write_schema`; a test holds it against the model.
"""

import json
from pathlib import Path

from flagbench.submissions.submission import SCHEMA_VERSION, Submission

FILE = Path(__file__).with_name("submission.schema.json")

DIALECT = "https://json-schema.org/draft/2020-12/schema"
"""Of the schemas that pydantic writes."""


def submission_schema() -> str:
    """The schema as the file has it; its `$id` has the version that `schema_version` has in a submission."""
    own = {"$schema": DIALECT, "$id": f"urn:flagbench:submission:{SCHEMA_VERSION}"}
    return json.dumps({**own, **Submission.model_json_schema()}, indent=2, ensure_ascii=False) + "\n"


def write_schema(path: Path = FILE) -> None:
    """Write the file anew."""
    path.write_text(submission_schema(), encoding="utf-8")
