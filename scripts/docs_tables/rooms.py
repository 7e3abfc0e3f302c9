"""The rooms of the package and what each imports."""

import ast
from collections.abc import Iterator
from pathlib import Path

from docs_tables.markdown import one_line, table

ROOT = Path(__file__).resolve().parents[2]


def order_of_rooms() -> list[str]:
    """All rooms in the order that the test of the imports holds."""
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "ORDER":
            return [room for level in ast.literal_eval(node.value) for room in level]
    raise AssertionError("tests/test_layers.py has no ORDER")


def imported_by(path: Path) -> Iterator[str]:
    """The rooms that a file imports from when it runs; imports for types alone are left out."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flagbench."):
            yield (node.module or "").split(".")[1]
        pending += ast.iter_child_nodes(node)


def rooms() -> str:
    """Every room with what it imports, from the files themselves."""
    rows = []
    for room in order_of_rooms():
        folder = ROOT / "flagbench" / room
        paths = sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
        used = {other for path in paths for other in imported_by(path)} - {room}
        shown = sorted(used - {"errors", "settings", "registry", "version"}, key=order_of_rooms().index)
        words = ast.get_docstring(ast.parse(paths[0].read_text(encoding="utf-8"))) or ""
        rows.append([f"`{room}`", one_line(words.split("\n\n")[0]), ", ".join(f"`{name}`" for name in shown)])
    return table(["room", "what it holds", "imports from"], rows)
