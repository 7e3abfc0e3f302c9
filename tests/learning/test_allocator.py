import platform
import sys

import pytest

from flagbench.learning.allocator import keep_freed_memory


def test_glibc_takes_both_settings_and_no_other_is_asked() -> None:
    """Both are within what mallopt allows, which refuses what is not."""
    assert keep_freed_memory() is (platform.libc_ver()[0] == "glibc")


def test_elsewhere_nothing_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
