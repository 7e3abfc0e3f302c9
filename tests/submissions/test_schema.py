import json
from typing import TYPE_CHECKING, Any

from flagbench.submissions.schema import FILE, submission_schema
from flagbench.submissions.submission import SCHEMA_VERSION, Submission

if TYPE_CHECKING:
    from tests.submissions.conftest import Prepared

ANEW = 'write it anew: python -c "from flagbench.submissions.schema import write_schema; write_schema()"'


def test_the_file_in_the_package_is_that_of_the_model() -> None:
    assert FILE.read_text(encoding="utf-8") == submission_schema(), ANEW


def test_its_version_is_that_of_a_submission() -> None:
    schema = json.loads(FILE.read_text())
    assert schema["$id"] == f"urn:flagbench:submission:{SCHEMA_VERSION}"
    assert schema["properties"]["schema_version"]["const"] == SCHEMA_VERSION


def test_unknown_names_are_refused_on_every_level() -> None:
    schema: dict[str, Any] = json.loads(FILE.read_text())
    models = [schema, *schema["$defs"].values()]
    assert all(model["additionalProperties"] is False for model in models)
    assert all("description" in model for model in models)


def test_every_field_of_a_prepared_submission_is_in_it(prepared: "Prepared") -> None:
    schema = json.loads(FILE.read_text())
    written = json.loads((prepared.folder / "submission.json").read_text())
    assert set(written) == set(schema["properties"]) == set(schema["required"])
    assert set(written["runs"][0]) == set(schema["$defs"]["RunClaim"]["required"])
    assert Submission.model_validate(written).folder_name == prepared.folder.name
