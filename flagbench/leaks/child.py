"""The process of an agent: `python -m flagbench.leaks.child BATCH ANSWER`, started by `flagbench.leaks.jobs`.

It loads nothing but flagbench itself, and forks for every job. So each job has a process that has never held
another market nor the agent, without the time that a new interpreter takes.
"""

import json
import os
import sys
import traceback
from pathlib import Path

from flagbench.agents.agent import Agent, Briefing, TrainableAgent
from flagbench.agents.making import AgentPlan, calling, parse_settings
from flagbench.agents.training import Setup, training_envs
from flagbench.errors import SEE_WHERE, AgentError, FlagbenchError
from flagbench.leaks.jobs import Answer, Batch, Job, Outcome, Window
from flagbench.leaks.watching import OpenedFiles
from flagbench.market.loading import load_market
from flagbench.market.market import Market
from flagbench.records.training_log import Silent
from flagbench.trading.environment import TradingEnv
from flagbench.trading.protocol import Protocol
from flagbench.trading.rollout import rollout


def main(batch_file: str, answer_file: str) -> None:
    """Do a batch, each job in a process of its own, until one fails, and write the answer."""
    batch = Batch.model_validate(json.loads(Path(batch_file).read_text(encoding="utf-8")))
    if len(batch.jobs) > 1 and any(job.setup or job.checkpoint for job in batch.jobs):
        import torch  # noqa: F401 # once instead of in every fork; it starts no thread and no device by that
    outcomes: list[Outcome] = []
    answer = Answer()
    for job in batch.jobs:
        answer = _apart(job, batch.watched)
        if answer.failed:
            break
        outcomes += answer.outcomes
    answer = answer.model_copy(update={"outcomes": tuple(outcomes)})
    Path(answer_file).write_text(answer.model_dump_json(), encoding="utf-8")


def _apart(job: Job, watched: tuple[str, ...]) -> Answer:
    """Do one job in a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            with os.fdopen(writing, "w", encoding="utf-8") as stream:
                stream.write(_answer(job, watched).model_dump_json())
            status = 0
        except BaseException:  # a bug: nothing may go on above this line in the fork
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stream:
        written = stream.read()
    _, status = os.waitpid(child, 0)
    if not written:
        code = os.waitstatus_to_exitcode(status)
        return Answer(failed=f"the process of agent `{job.agent}` ended with {code}", hint=SEE_WHERE)
    return Answer.model_validate(json.loads(written))


def _answer(job: Job, watched: tuple[str, ...]) -> Answer:
    opened = OpenedFiles(watched)
    try:
        actions = do(job)
    except FlagbenchError as error:
        if os.environ.get("FLAGBENCH_TRACEBACK"):
            traceback.print_exc()
        return Answer(failed=error.message, hint=error.hint)
    return Answer(outcomes=(Outcome(actions=actions, opened=opened.paths),))


def do(job: Job) -> dict[Window, tuple[int, ...]]:
    """Build the agent, train or load it, and play.

    Returns:
        the actions of each window asked for.

    Raises:
        FlagbenchError: the agent failed.
    """
    os.environ["FLAGBENCH_DATA"] = job.data
    market = load_market(job.asset, data=job.data)
    params = parse_settings(list(job.settings))
    if job.backbone is not None:
        params["backbone"] = job.backbone
    plan = AgentPlan(job.agent, params, briefing(market, job.protocol))
    agent = _learnt(job, market, plan, job.setup) if job.setup else _loaded(job, plan)
    return {window: _played(job, market, agent, window) for window in job.windows}


def briefing(market: Market, protocol: Protocol) -> Briefing:
    """What defaults of params may depend on."""
    bars = market.bar_range(market.asset.windows.train)
    kinds = frozenset(item.kind for bar in bars for item in market.text_of(bar))
    return Briefing(preset=protocol.preset, train_text_kinds=kinds)


def _learnt(job: Job, market: Market, plan: AgentPlan, setup: Setup) -> Agent:
    """The agent after a training, as `flagbench run` trains it."""
    from flagbench.learning.start import start

    accelerator = start(setup, seed=job.seed)
    agent = plan.make()
    if not isinstance(agent, TrainableAgent):
        raise AgentError(f"agent `{job.agent}` cannot be trained")
    period = market.asset.windows.train
    make_envs = training_envs(market.until(period), job.protocol, period)
    with calling(plan.name, "reset"):
        agent.reset(job.seed)
    with calling(plan.name, "train"):
        agent.train(make_envs, setup=setup, seed=job.seed, accelerator=accelerator, monitor=Silent())
    if job.checkpoint is not None:
        with calling(plan.name, "save"):
            agent.save(Path(job.checkpoint))
    return agent


def _loaded(job: Job, plan: AgentPlan) -> Agent:
    agent = plan.make()
    if job.checkpoint is not None and isinstance(agent, TrainableAgent):
        with calling(plan.name, "load"):
            agent.load(Path(job.checkpoint))
    return agent


def _played(job: Job, market: Market, agent: Agent, window: Window) -> tuple[int, ...]:
    windows = market.asset.windows
    env = TradingEnv(market, job.protocol, windows.train if window == "train" else windows.test)
    with calling(job.agent, "reset"):
        agent.reset(job.seed)
    with calling(job.agent, "act"):
        return tuple(rollout(agent.act, env, seed=job.seed).actions.tolist())


if __name__ == "__main__":
    main(*sys.argv[1:])
