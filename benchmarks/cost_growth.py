"""How the cost of FLAG's training grows with environments, length of prompts and trained layers.

The model has the shape of SmolLM2-135M.

    python benchmarks/cost_growth.py --out docs/cost_growth.svg --data benchmarks/cost_growth.json
    python benchmarks/cost_growth.py --small --out /tmp/cost.svg        # a small model: does it run?
    python benchmarks/cost_growth.py --draw benchmarks/cost_growth.json --out docs/cost_growth.svg

One panel for each; the other two stay at 1 environment, 256 tokens and the top 6 layers. Points are processor
seconds of one thread for one environment step, with its share of the update: three bars, one epoch over all
samples at once. FLAG as it is and the straightforward way are measured in turn.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.flag_training import LONG_LOOKBACK, shape_135m  # found from the root, wherever it is started
from benchmarks.plain_flag import PlainFlag, Training, Workload
from flagbench.flag.agent import FlagAgent

STEPS = 3
PANELS: dict[str, tuple[int, ...]] = {
    "environments": (1, 2, 4, 8),
    "tokens of a prompt": (224, 256, 320, 384, 512),
    "trained layers": (1, 3, 6, 10, 15, 30),
}
WAYS = {"flagbench": FlagAgent, "plain forward": PlainFlag}


class Place(NamedTuple):
    """One point of all panels."""

    environments: int = 1
    tokens: int = 256
    layers: int = 6


def place_of(panel: str, value: int) -> Place:
    """Where a panel's value lies."""
    field = {"environments": "environments", "tokens of a prompt": "tokens", "trained layers": "layers"}[
        panel
    ]
    return Place(**{field: value})


def seconds_per_step(place: Place, *, small: bool, rounds: int) -> dict[str, float]:
    """Processor seconds of one environment step in both ways, medians over rounds in turn.

    A first round is not counted: it touches every page of memory for the first time.
    """
    layers = min(place.layers, 4) if small else place.layers
    params: dict[str, Any] = {
        "backbone": "random" if small else f"random:{shape_135m().name}",
        "trainable_layers": layers,
        "prompt": "news",
        "max_prompt_tokens": max(place.tokens, 256) if small else place.tokens,
        "ppo": {
            "num_steps": STEPS,
            "minibatch_size": 8 * place.environments,
            "update_epochs": 1,
            "shuffle": "bars",
        },
    }
    workload = Workload(
        bars=STEPS + 1,
        env_steps=STEPS * place.environments,
        num_envs=place.environments,
        params=params,
        lookback=LONG_LOOKBACK,  # more closes than fit: prompts are as long as they may be
        practised=True,
    )
    trainings = {name: Training(make(**params), workload) for name, make in WAYS.items()}
    times: dict[str, list[float]] = {name: [] for name in WAYS}
    for turn in range(rounds + 1):
        for name, training in trainings.items():
            begun = time.process_time()
            training.run()
            if turn > 0:
                times[name].append((time.process_time() - begun) / workload.env_steps)
    return {name: statistics.median(values) for name, values in times.items()}


def drawn(points: dict[str, dict[str, dict[str, float]]], out: Path) -> None:
    """Three panels with a line for each way."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    mpl.rcParams["svg.hashsalt"] = "flagbench"  # the same figure gives the same file
    figure, axes = plt.subplots(1, len(points), figsize=(10, 3.2), sharey=True, layout="constrained")
    for axis, (panel, values) in zip(axes, points.items(), strict=True):
        places = [int(value) for value in values]
        for name, marker in zip(WAYS, "os", strict=True):
            axis.plot(places, [values[str(value)][name] for value in places], marker=marker, label=name)
        axis.set_xlabel(panel)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("seconds of one thread\nfor an environment step")
    axes[0].set_ylim(
        0,
        1.05 * max(time for values in points.values() for ways in values.values() for time in ways.values()),
    )
    axes[0].legend(frameon=False)
    figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)
    plt.close(figure)


def main() -> None:
    """Measure or read, then draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="SVG or PNG")
    parser.add_argument("--data", type=Path, help="JSON file to write what was measured to")
    parser.add_argument("--draw", type=Path, help="draw such a file and measure nothing")
    parser.add_argument("--small", action="store_true", help="a small random model, once")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--panel", choices=PANELS, help="measure one again; the others are read from --data")
    arguments = parser.parse_args()
    if arguments.draw:
        drawn(json.loads(arguments.draw.read_text(encoding="utf-8")), arguments.out)
        return
    torch.set_num_threads(1)
    points: dict[str, dict[str, dict[str, float]]] = {}
    if arguments.panel and arguments.data:
        points = json.loads(arguments.data.read_text(encoding="utf-8"))
    for panel, values in PANELS.items():
        if arguments.panel not in (None, panel):
            continue
        points[panel] = {}
        for value in values:
            measured = seconds_per_step(
                place_of(panel, value), small=arguments.small, rounds=arguments.rounds
            )
            points[panel][str(value)] = measured
            print(panel, value, measured, flush=True)
            if arguments.data:
                arguments.data.write_text(json.dumps(points, indent=1) + "\n", encoding="utf-8")
    drawn(points, arguments.out)


if __name__ == "__main__":
    main()
