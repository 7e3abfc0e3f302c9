import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def docs_tables() -> ModuleType:
    """What `scripts/docs-tables` calls."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        return import_module("docs_tables.parts")
    finally:
        sys.path.remove(str(ROOT / "scripts"))
