"""From a name and params to an agent, everything checked before anything heavy loads."""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stdout
from hashlib import sha256
from pathlib import Path
from typing import Any, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from flagbench.agents.agent import Agent, Briefing, DefaultingAgent, TrainableAgent, is_ranked
from flagbench.errors import SEE_WHERE, AgentError, ConfigError, FlagbenchError, UnknownNameError
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.registry import load_agent_class
from flagbench.trading.protocol import Protocol


def parse_settings(assignments: list[str]) -> dict[str, Any]:
    """Read `--set name=value` and `--set group.name=value` into nested params; values are YAML.

    Raises:
        ConfigError: no `=`, or a value that is no YAML.
    """
    params: dict[str, Any] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or not name:
            raise ConfigError(f"`--set {assignment}` is no assignment", hint="write --set name=value")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"`--set {assignment}`: `{text}` is no YAML value") from None
        group, dot, field = name.partition(".")
        if dot:
            nested = params.setdefault(group, {})
            if not isinstance(nested, dict):
                raise ConfigError(f"`--set {assignment}`: `{group}` was given a value before")
            nested[field] = value
        else:
            params[name] = value
    return params


@contextmanager
def calling(agent: str, method: str) -> Iterator[None]:
    """Around every call of somebody's agent: what it does to the process is undone, what it raises is named.

    What it prints goes to stderr, since stdout is flagbench's; the working directory is set back.

    Raises:
        AgentError: it raised anything, or tried to leave the process.
    """
    try:
        with redirect_stdout(sys.stderr), chdir("."):
            yield
    except FlagbenchError:
        raise
    except (Exception, SystemExit) as error:
        raise AgentError(f"agent `{agent}` failed in `{method}`: {error!r}", hint=SEE_WHERE) from error


class AgentPlan:
    """An agent's class with params that fit its signature.

    Args:
        name: a registered name or `path/to/file.py:ClassName`.
        params: what the user gave.
        briefing: what defaults may depend on.

    Raises:
        UnknownNameError: no such agent or param.
        ConfigError: a param is missing or of the wrong type.
    """

    def __init__(self, name: str, params: Mapping[str, Any], briefing: Briefing) -> None:
        self.name = name
        self.agent_class = load_agent_class(name)
        for method in ("reset", "act"):
            if not callable(getattr(self.agent_class, method, None)):
                raise AgentError(
                    f"`{name}` has no method `{method}`", hint="see docs/agents.md for what an agent is"
                )
        self.trains = issubclass(self.agent_class, TrainableAgent)
        if not self.trains and callable(getattr(self.agent_class, "train", None)):
            raise AgentError(
                f"`{name}` has `train`, but not `save` and `load` too", hint="see docs/agents.md"
            )
        self.ranked = is_ranked(self.agent_class)
        if self.ranked == callable(getattr(self.agent_class, "foresight", None)):
            raise AgentError(
                f"`{name}` has one of `foresight` and `ranked = False` without the other",
                hint="an agent that is given the future has both, any other has neither",
            )
        self._given = frozenset(params)
        self.params = _bound(
            name, self.agent_class, {**_task_defaults(name, self.agent_class, briefing), **params}
        )

    def foresee(self, market: Market, protocol: Protocol, periods: Iterable[Period]) -> None:
        """Give the future to an agent that calibrates; to any other, nothing.

        This is the only way by which anything of a market reaches an agent other than its observations, and
        what comes of it is marked `ranked: false` in the record.

        Raises:
            AgentError: its `foresight` failed.
            UnknownNameError: it answered with a param that the constructor does not have.
            ConfigError: or with one of the wrong type, or the user gave that param.
        """
        if self.ranked:
            return
        with calling(self.name, "foresight"):
            seen = dict(self.agent_class.foresight(market, protocol, tuple(periods)))
        for key in seen:
            if key in self._given:
                raise ConfigError(f"agent `{self.name}`: `{key}` is what it foresees and cannot be set")
        self.params = _bound(self.name, self.agent_class, {**self.params, **seen})

    def source(self) -> dict[str, str | None]:
        """Where the class is defined, and the sha256 of that file."""
        file = inspect.getsourcefile(self.agent_class)
        digest = sha256(Path(file).read_bytes()).hexdigest() if file else None
        return {"object": f"{self.agent_class.__module__}:{self.agent_class.__qualname__}", "sha256": digest}

    def make(self) -> Agent:
        """Build the agent.

        Raises:
            AgentError: its constructor failed.
        """
        with calling(self.name, "__init__"):
            agent: Agent = self.agent_class(**self.params)
        return agent


def _task_defaults(name: str, agent_class: object, briefing: Briefing) -> dict[str, Any]:
    if not isinstance(agent_class, DefaultingAgent):
        return {}
    with calling(name, "defaults"):
        return dict(agent_class.defaults(briefing))


def accepts(agent_class: type[Any], param: str) -> bool:
    """Whether an agent can be built with a param of that name."""
    parameters = inspect.signature(agent_class).parameters
    return param in parameters or _takes_any(parameters)


def _takes_any(parameters: Mapping[str, inspect.Parameter]) -> bool:
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())


def _bound(name: str, agent_class: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Params with the signature's defaults filled in, each converted to its annotated type."""
    every = inspect.signature(agent_class).parameters
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    named = {key: parameter for key, parameter in every.items() if parameter.kind not in several}
    hints = _hints(name, agent_class)
    unknown = [key for key in given if key not in named]
    if unknown and not _takes_any(every):
        raise UnknownNameError(f"`{name}` param", unknown[0], named)
    bound: dict[str, Any] = {key: given[key] for key in unknown}
    for key, parameter in named.items():
        if key in given:
            bound[key] = _converted(name, key, given[key], hints.get(key, Any))
        elif parameter.default is inspect.Parameter.empty:
            flag = " or --backbone" if key == "backbone" else ""
            raise ConfigError(f"agent `{name}` needs `{key}`", hint=f"add --set {key}=…{flag}")
        else:
            bound[key] = parameter.default
    return bound


def _hints(name: str, agent_class: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(agent_class.__init__, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise AgentError(f"the annotations of agent `{name}` cannot be read: {error}") from error


def _converted(name: str, key: str, value: Any, hint: Any) -> Any:
    try:
        return TypeAdapter(hint).validate_python(value)
    except PydanticUserError:
        raise AgentError(
            f"agent `{name}`: `{key}` is annotated as {hint}, which no setting can be converted to"
        ) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ConfigError(f"agent `{name}`: `{key}`: {first['msg']}, given {value!r}") from None
