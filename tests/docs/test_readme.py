"""The agent that README.md shows keeps the rules that its reader is sent to next."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_agent_of_the_readme_passes_every_check(tmp_path: Path) -> None:
    _, _, below = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## Add an agent\n")
    block = re.search(r"^```python\n(.*?)^```$", below, re.DOTALL | re.MULTILINE)
    assert block is not None
    (tmp_path / "last_day.py").write_text(block[1], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "flagbench", "check-agent", "last_day.py:LastDay"],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # No check refuses an order that changes nothing, but it is no example to follow.
    assert "; 0 of them change nothing" in done.stdout
