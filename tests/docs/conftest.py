import os
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def docs_tables() -> ModuleType:
    """`scripts/docs-tables` as a module."""
    loader = SourceFileLoader("docs_tables", os.fspath(ROOT / "scripts" / "docs-tables"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module
