import ast
import tomllib
from fnmatch import fnmatch
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from flagbench.version import __version__

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]
TOPS: dict[str, str] = SETUPTOOLS["package-dir"]
"""Packages that name a folder of their own, longest names last."""


def modules() -> list[Path]:
    return sorted(path for folder in set(TOPS.values()) for path in (ROOT / folder).rglob("*.py"))


def package_of(folder: Path) -> str:
    """The import name of a folder, by the package map."""
    top, *rest = folder.relative_to(ROOT).parts
    name = next(name for name, place in TOPS.items() if place == top)
    return ".".join([name, *rest])


def test_the_packages_are_the_folders_with_an_init_file() -> None:
    on_disk = {package_of(path.parent) for path in modules() if path.name == "__init__.py"}
    assert sorted(SETUPTOOLS["packages"]) == sorted(on_disk)


def test_no_module_lies_in_a_folder_that_is_no_package() -> None:
    assert {package_of(path.parent) for path in modules()} == set(SETUPTOOLS["packages"])


def test_every_file_that_is_no_module_is_shipped_with_its_package() -> None:
    globs = {
        TOPS[package]: patterns for package, patterns in SETUPTOOLS["package-data"].items() if package in TOPS
    }
    left_out = []
    for folder in ("flagbench", "tasks"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_dir() or path.suffix == ".py" or "__pycache__" in path.parts:
                continue
            inside = path.relative_to(ROOT / folder).as_posix()
            if not any(fnmatch(inside, pattern.replace("**/", "*")) for pattern in globs[folder]):
                left_out.append(inside)
    assert left_out == []


def test_the_package_says_that_it_is_typed_and_ships_its_tasks() -> None:
    assert (ROOT / "flagbench" / "py.typed").is_file()
    assert "py.typed" in SETUPTOOLS["package-data"]["flagbench"]
    assert "**/*.yaml" in SETUPTOOLS["package-data"]["flagbench.tasks"]
    assert SETUPTOOLS["include-package-data"] is False


def test_the_version_is_written_once() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert SETUPTOOLS["dynamic"]["version"] == {"attr": "flagbench.version.__version__"}
    assert __version__.count(".") == 2


@pytest.mark.parametrize("group", ["flagbench.agents", "flagbench.tasks", "flagbench.metrics"])
def test_every_entry_point_is_installed_and_leads_somewhere(group: str) -> None:
    declared = PROJECT["project"]["entry-points"][group]
    installed = {
        entry.name: entry
        for entry in entry_points(group=group)
        if entry.dist and entry.dist.name == "flagbench"
    }
    assert {name: entry.value for name, entry in installed.items()} == declared
    for entry in installed.values():
        assert entry.load() is not None


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is_and_stays_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    assert len(source.splitlines()) <= 400
