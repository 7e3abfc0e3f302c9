"""How long `flagbench --help` takes, as a ratio to an empty Python process, in interleaved runs."""

import statistics
import subprocess
import sys
import time

ROUNDS = 15
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "flagbench --help": [sys.executable, "-m", "flagbench", "--help"],
}


def seconds(command: list[str]) -> float:
    """Wall time of one whole process."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - begun


def main() -> None:
    """Print medians and the median of the round-by-round ratios."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, command in COMMANDS.items():
            times[name].append(seconds(command))
    for name, values in times.items():
        low, high = min(values), max(values)
        print(f"{name}: median {statistics.median(values):.3f} s ({low:.3f} to {high:.3f})")
    empty, helped = times.values()
    print(f"ratio: {statistics.median(h / e for h, e in zip(helped, empty, strict=True)):.2f}")


if __name__ == "__main__":
    main()
