"""All generated parts by name, and the pages they stand on."""

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from docs_tables.catalogue import (
    agents,
    assets,
    help_parts,
    knowledge_items,
    knowledge_tasks,
    metrics,
    sources,
)
from docs_tables.complaints import price_checks, text_checks, window_checks
from docs_tables.measured import benchmarks, entries
from docs_tables.prompt import prompt
from docs_tables.rooms import rooms
from docs_tables.settings import flag_params, observation, presets, protocols, setups

ROOT = Path(__file__).resolve().parents[2]
PART = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)

PARTS: Mapping[str, Callable[[], str | None]] = {
    **help_parts(),
    "agents": agents,
    "metrics": metrics,
    "protocols": protocols,
    "presets": presets,
    "setups": setups,
    "flag-params": flag_params,
    "observation": observation,
    "assets": assets,
    "sources": sources,
    "knowledge-tasks": knowledge_tasks,
    "knowledge-items": knowledge_items,
    "price-checks": price_checks,
    "text-checks": text_checks,
    "window-checks": window_checks,
    "prompt": prompt,
    "rooms": rooms,
    "benchmarks": benchmarks,
    "entries": entries,
}


def rewritten(page: str) -> str:
    """A page with its generated parts as they should be."""

    def part(match: re.Match[str]) -> str:
        text = PARTS[match[2]]()
        return match[0] if text is None else f"{match[1]}{text}\n{match[3]}"

    return PART.sub(part, page)


def main(arguments: list[str]) -> int:
    """Rewrite or check all pages; 1 when a page differs under `--check`."""
    differing = []
    for path in sorted((ROOT / "docs").glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (wanted := rewritten(text)) != text:
            differing.append(path)
            if "--check" not in arguments:
                path.write_text(wanted, encoding="utf-8")
    sys.stdout.writelines(f"{path.relative_to(ROOT)}\n" for path in differing)
    return 1 if differing and "--check" in arguments else 0
