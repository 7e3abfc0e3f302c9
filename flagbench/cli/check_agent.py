"""`flagbench check-agent`."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import Accelerator

    from flagbench.agents.bench import Bench
    from flagbench.agents.training import Setup

DEFAULT_STEPS = 32
"""A budget of training that takes seconds; the check is made with it, and once with twice as much."""


def add_check_agent(parser: argparse.ArgumentParser) -> None:
    """Its flags."""
    parser.add_argument("agent", metavar="AGENT", help="an agent's name, or path/to/file.py:ClassName")
    parser.add_argument(
        "--asset", default="TSLA", help="whose replica it is tried on: a name or a YAML file (TSLA)"
    )
    parser.add_argument("--protocol", default="standard", help="a protocol's name or YAML file (standard)")
    parser.add_argument(
        "--env-steps", type=int, default=DEFAULT_STEPS, metavar="N", help=f"of a training ({DEFAULT_STEPS})"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a param of the agent"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def check_agent_command(arguments: argparse.Namespace) -> int:
    """Try an agent out on a small drawn market, a line a promise.

    Returns:
        1 if it does not keep one of them.
    """
    from flagbench.agents.check import check_agent, checks_of
    from flagbench.cli.printing import print_json

    bench = _bench(arguments)
    findings = []
    for finding in check_agent(bench):
        findings.append(finding)
        if not arguments.json:
            verdict = "ok  " if finding.passed else "FAIL"
            print(f"{verdict} {finding.name:<9} {finding.claim}: {finding.found}", flush=True)
            if finding.advice:
                print(f"     {'':<9} → {finding.advice}", flush=True)
    failed, left = sum(not each.passed for each in findings), len(checks_of(bench)) - len(findings)
    if arguments.json:
        checks = [finding.to_json() for finding in findings]
        print_json({"agent": arguments.agent, "passed": not failed, "left_out": left, "checks": checks})
    else:
        rest = f", {left} left out until that is mended" if left else ""
        made = f"{len(findings)} check" + "s" * (len(findings) != 1)
        print(f"{arguments.agent}: {made}, {failed} failed{rest}")
    return int(failed > 0)


def _bench(arguments: argparse.Namespace) -> "Bench":
    from flagbench.agents.bench import Bench, Ground
    from flagbench.agents.making import parse_settings
    from flagbench.agents.training import Setup
    from flagbench.errors import ConfigError
    from flagbench.market.asset import load_asset
    from flagbench.market.replica import ReplicaSpec, make_replica
    from flagbench.settings import parse
    from flagbench.trading.protocol import load_protocol

    if arguments.asset.endswith(".csv"):
        raise ConfigError("an agent is checked on a replica; name an asset, not a CSV of bars")
    market = make_replica(load_asset(arguments.asset), ReplicaSpec(train=20, test=20))
    setup = parse(Setup, {"env_steps": arguments.env_steps, "num_envs": 2}, origin="the set-up")
    ground = Ground(market, load_protocol(arguments.protocol))
    params = parse_settings(arguments.set)
    return Bench(arguments.agent, params, ground=ground, setup=setup, start=_start)


def _start(setup: "Setup", *, seed: int) -> "Accelerator":
    from flagbench.learning.start import start  # loads torch, which agents that do not learn do without

    return start(setup, seed=seed)
