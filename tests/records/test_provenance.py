import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from flagbench.records import provenance as module
from flagbench.records.provenance import PACKAGES, git_state, provenance
from flagbench.version import __version__


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose one commit holds a folder with `errors.py` in it."""
    git(tmp_path, "init", "--quiet")
    package = tmp_path / "flagbench"
    package.mkdir()
    (package / "errors.py").write_text("")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return package


def test_it_holds_versions_machine_and_source() -> None:
    found = provenance()
    assert found["flagbench"] == __version__
    assert found["packages"]["numpy"] == version("numpy")
    assert set(found["packages"]) == set(PACKAGES)
    assert found["cpus"] == os.cpu_count()
    assert {"python", "git", "platform", "machine"} <= set(found)
    assert json.loads(json.dumps(found)) == found


def test_it_names_no_user_and_no_path_of_the_machine() -> None:
    assert str(Path.home()) not in json.dumps(provenance())
    assert str(Path.cwd()) not in json.dumps(provenance())


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("numpy", "no-such-package-here"))
    assert provenance()["packages"] == {"numpy": version("numpy"), "no-such-package-here": None}


def test_the_state_of_flagbenchs_own_source_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(module, "git_state", asked.append)
    provenance()
    (folder,) = asked
    assert folder.is_absolute()
    assert (folder / "errors.py").is_file()
    assert folder.name == "flagbench"


def test_a_clean_checkout_has_a_commit(checkout: Path) -> None:
    assert git_state(checkout) == {"commit": git(checkout, "rev-parse", "HEAD"), "dirty": False}


@pytest.mark.parametrize("changed", ["flagbench/errors.py", "flagbench/more.py", "elsewhere.py"])
def test_any_change_makes_it_dirty(checkout: Path, changed: str) -> None:
    (checkout.parent / changed).write_text("changed = True\n")
    state = git_state(checkout)
    assert state is not None
    assert state["dirty"] is True


def test_an_installation_inside_somebodys_checkout_does_not_belong_to_it(checkout: Path) -> None:
    installed = checkout.parent / "venv" / "flagbench"
    installed.mkdir(parents=True)
    (installed / "errors.py").write_text("")
    assert git_state(installed) is None


def test_without_a_repository_or_without_git_there_is_no_state(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tmp_path_factory.mktemp("alone")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(alone.parent))
    assert git_state(alone) is None
    monkeypatch.setenv("PATH", "")
    assert git_state(checkout) is None
