import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
from pathlib import Path

import torch

from flagbench.experiment import _train
from flagbench.learning.start import start
from flagbench.market.period import Period
from flagbench.planning import RunSpec, plan
from flagbench.records.training_log import Silent
from flagbench.trading.environment import TradingEnv

folder = Path(sys.argv[1])
spec = RunSpec(
    agent="flag", asset=str(folder / "bars.csv"), backbone="random", protocol="paper", precision="bf16",
    train=Period.parse("2021-02-12:2021-02-19"), test=Period.parse("2021-02-20:2021-02-28"), env_steps=8,
)
planned = plan(spec)
accelerator = start(planned.setup, seed=0)
agent = planned.agent.make()
_train(planned, 0, agent, accelerator, Silent())
assert accelerator.mixed_precision == "bf16"
observation, _ = TradingEnv(planned.market, planned.protocol, planned.period("test")).reset()
agent.save(folder)
loaded = planned.agent.make()
loaded.load(folder)
with torch.no_grad():
    first, second = (each.net(*each.collate(each.features([observation]))) for each in (agent, loaded))
assert first[0].dtype == torch.float32
assert torch.equal(first[0], second[0]), (first, second)
assert torch.equal(first[1], second[1]), (first, second)
"""


def test_trained_in_half_precision_an_agent_acts_as_it_will_when_it_is_loaded_again(tmp_path: Path) -> None:
    # A process of its own: accelerate keeps one precision for the whole of a process.
    lines = [f"2021-02-{day:02d},{100 + day % 5},110,90,{100 + day % 5}" for day in range(1, 29)]
    (tmp_path / "bars.csv").write_text("\n".join(["date,open,high,low,close", *lines]) + "\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
