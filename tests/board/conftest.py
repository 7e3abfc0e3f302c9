import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from benchmarks.drawn_results import Kind
from benchmarks.drawn_submissions import write_entry
from flagbench.board.site import build_board, write_board

ROOT = Path(__file__).parents[2]


def module_at(path: Path, name: str) -> ModuleType:
    spec = spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_pages = module_at(ROOT / "tests" / "reports" / "conftest.py", "pages_in_a_browser")
browser, visit = _pages.browser, _pages.visit

EVIL = "<script>alert(1)</script>\"'&<b>"
"""Would be markup, or would end an attribute, if it were not escaped."""

LONG = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 6

TURNED = "\u202eevil\u202d\u2066"
"""Turns the direction of writing and never turns it back."""

BODY = f"""# {EVIL}

#### A heading that skips two

<img src=x onerror=alert(1)> <iframe src="https://example.org"></iframe>

[click](javascript:alert(1)) [there](https://example.org/"onmouseover="alert(1))
![seen](https://example.org/a.png)

| left | right |
|---|--:|
| {TURNED} | 2 |

```
{LONG}
```
"""


class SmallBoard(NamedTuple):
    """A board with two tracks, and its site."""

    folder: Path
    site: Path


@pytest.fixture(scope="session")
def small_board(tmp_path_factory: pytest.TempPathFactory) -> SmallBoard:
    """Agents to either side of buy-and-hold, one that never trades, the oracle, three that are not ranked."""
    folder = tmp_path_factory.mktemp("board")
    kind = Kind
    kinds = [
        kind("above", "momentum", has_backbone=False, status="reproduced", skill=0.2),
        kind("below", "flag", status="reproduced", skill=-0.0, days_long=0.2, pretraining="inside"),
        kind("buy-and-hold", "buy-and-hold", has_backbone=False, status="reproduced", days_long=1.0),
        kind("always-flat", "always-flat", has_backbone=False, status="reproduced", days_long=0.0),
        kind("oracle", "oracle", has_backbone=False, ranked=False, status="reproduced", skill=0.9),
        kind("hindsight", "flag", skill=0.6, pretraining="unknown"),
        kind("failed", "dqn", has_backbone=False, status="not-reproduced"),
        kind("strange", "x.py:Agent", description=EVIL, authors=(EVIL, LONG, "מחברת"), body=BODY),
    ]
    for number, each in enumerate(kinds):
        write_entry(folder, each, number=number, assets=("TSLA", "BTC"))
    for number, each in enumerate(kinds[:1]):
        write_entry(folder, each, track="other", number=number, assets=("TSLA",))
    write_board(build_board(folder, resamples=200), folder / "site")
    return SmallBoard(folder, folder / "site")


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core, which comes with a package of the tests."""
    found = find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-playwright-python is not installed: pip install axe-playwright-python")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")
