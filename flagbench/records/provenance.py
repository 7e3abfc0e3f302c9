"""What a run ran on: package versions, source revision, machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flagbench.version import __version__

PACKAGES = (
    "accelerate",
    "exchange-calendars",
    "gymnasium",
    "numpy",
    "peft",
    "safetensors",
    "torch",
    "transformers",
)


def provenance() -> dict[str, Any]:
    """Versions, git state of flagbench's own source (None when installed from a wheel), and hardware."""
    return {
        "flagbench": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "git": git_state(Path(__file__).resolve().parents[1]),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit and whether anything differs from it, or None where `folder` is not tracked by git."""
    # A virtual environment inside somebody's checkout lies in a repository without belonging to it.
    tracked = _git(folder, "ls-files", "--error-unmatch", "errors.py")
    commit = _git(folder, "rev-parse", "HEAD")
    if tracked is None or commit is None:
        return None
    return {"commit": commit, "dirty": bool(_git(folder, "status", "--porcelain"))}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
