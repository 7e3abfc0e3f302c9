"""Imports point one way: a room imports only from rooms above it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

ORDER = (
    ("version", "errors"),
    ("registry", "settings"),
    ("market",),
    ("trading",),
    ("agents",),
    ("scoring",),
    ("records",),
    ("audit",),
    ("learning",),
    ("flag",),
    ("knowledge",),
    ("pretraining",),
    ("leaks",),
    ("comparison",),
    ("reports",),
    ("submissions",),
    ("board",),
    ("planning",),
    ("experiment",),
    ("suites",),
    ("cli",),
    ("__main__",),
)
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}

OUTSIDE = {"tasks": "tasks", "baselines": "baselines", "leaderboard": "leaderboard"}
"""Packages of data and agents: folder beside the core, and name below `flagbench`."""

HEAVY = {"torch", "transformers", "peft", "accelerate", "lm_eval", "datasets"}


class Import(NamedTuple):
    """One import statement of the project."""

    file: str
    line: int
    room: str
    module: str
    typing_only: bool
    deferred: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def statements(
    tree: ast.AST, *, typing_only: bool = False, deferred: bool = False
) -> Iterator[tuple[ast.AST, bool, bool]]:
    """All import statements, whether each stands under `TYPE_CHECKING`, and whether in a function."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node, typing_only, deferred
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            for child in node.body:
                yield from statements(ast.Module([child], []), typing_only=True, deferred=deferred)
            for child in node.orelse:
                yield from statements(ast.Module([child], []), typing_only=typing_only, deferred=deferred)
        else:
            inside = deferred or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from statements(node, typing_only=typing_only, deferred=inside)


def imports_of(path: Path, room: str) -> Iterator[Import]:
    for node, typing_only, deferred in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides its room"
            # `from flagbench import records` names a room too.
            whole = node.module or ""
            modules = [f"{whole}.{alias.name}" for alias in node.names] if whole == "flagbench" else [whole]
        else:
            assert isinstance(node, ast.Import)
            modules = [alias.name for alias in node.names]
        for module in modules:
            yield Import(str(path.relative_to(ROOT)), node.lineno, room, module, typing_only, deferred)


def core_imports() -> list[Import]:
    found: list[Import] = []
    for path in sorted((ROOT / "flagbench").rglob("*.py")):
        parts = path.relative_to(ROOT / "flagbench").with_suffix("").parts
        if parts != ("__init__",):
            found += imports_of(path, parts[0])
    return found


def room_of(module: str) -> str | None:
    """The room of flagbench that a module lies in, or None for other people's modules."""
    parts = module.split(".")
    return parts[1] if parts[0] == "flagbench" and len(parts) > 1 else None


CORE = core_imports()
INNER = [item for item in CORE if room_of(item.module) is not None]


def test_the_walk_sees_the_project() -> None:
    assert len(INNER) > 100
    assert {item.room for item in CORE} >= {
        "market",
        "trading",
        "agents",
        "scoring",
        "records",
        "flag",
        "cli",
    }
    assert any(item.typing_only for item in INNER)
    assert any(item.deferred for item in INNER)


def test_every_room_has_its_place_in_the_order() -> None:
    rooms = {
        path.stem
        for path in (ROOT / "flagbench").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert rooms - {"__init__"} == set(LEVEL)


def test_a_room_imports_only_from_rooms_above_it() -> None:
    wrong = [
        str(item)
        for item in INNER
        if not item.typing_only
        and room_of(item.module) != item.room
        and LEVEL.get(room_of(item.module) or "", len(ORDER)) >= LEVEL[item.room]
    ]
    assert wrong == []


def test_for_types_alone_only_the_registry_looks_down() -> None:
    down = {
        (item.room, item.module)
        for item in INNER
        if item.typing_only
        and room_of(item.module) != item.room
        and LEVEL.get(room_of(item.module) or "", len(ORDER)) >= LEVEL[item.room]
    }
    assert down == {("registry", "flagbench.scoring.metric")}


def test_the_core_finds_tasks_agents_and_the_board_through_entry_points_alone() -> None:
    assert [str(item) for item in INNER if room_of(item.module) in OUTSIDE] == []


def test_heavy_packages_are_imported_at_once_only_where_agents_learn() -> None:
    wrong = [
        str(item)
        for item in CORE
        if item.module.split(".")[0] in HEAVY
        and item.room not in {"learning", "flag", "knowledge", "pretraining"}
        and not item.typing_only
        and not item.deferred
    ]
    assert wrong == []


def test_agents_that_ship_use_what_a_strangers_agent_may_use() -> None:
    allowed = {"errors", "settings", "market", "trading", "agents", "learning", "flag"}
    for path in sorted((ROOT / "baselines").glob("*.py")):
        for item in imports_of(path, "baselines"):
            room = room_of(item.module)
            assert room is None or room in allowed, str(item)


@pytest.mark.parametrize("folder", ["tasks", "leaderboard"])
def test_a_package_of_data_imports_nothing(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.py"):
        assert list(imports_of(path, folder)) == []
