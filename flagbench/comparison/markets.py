"""The market of a record, loaded as its spec says and held against its hash."""

import json
from dataclasses import replace
from typing import Any, Literal

from flagbench.comparison.finding import SeedRun
from flagbench.errors import ConfigError, RecordError
from flagbench.market.asset import Windows
from flagbench.market.loading import resolve_market
from flagbench.market.market import Market
from flagbench.market.period import Period
from flagbench.settings import parse


class Markets:
    """Loads markets, each once.

    Args:
        data: a data folder instead of the one that the records name; a replica is drawn as its record says.
    """

    def __init__(self, data: str | None = None) -> None:
        self._data = data
        self._loaded: dict[str, Market] = {}

    def of(self, run: SeedRun) -> Market:
        """The market that a run traded, with the run's windows.

        Raises:
            RecordError: what is found under that name now is not what the record says.
            FlagbenchError: it cannot be loaded.
        """
        spec = run.record.spec
        given = spec.get("data")
        is_drawn = str(given).split(":", 1)[0] == "replica"
        data = given if self._data is None or is_drawn else self._data
        train, test = _window(run, "train"), _window(run, "test")
        key = json.dumps([spec.get("asset"), data, spec.get("periods"), train, test], default=str)
        if key not in self._loaded:
            self._loaded[key] = resolve_market(
                str(spec.get("asset")),
                data=data,
                train=train,
                test=test,
                periods_per_year=spec.get("periods"),
            )
        market = self._loaded[key]
        if run.record.window is not None:
            market = _windowed(run, market)
        _check(run, market)
        return market


def _window(run: SeedRun, name: Literal["train", "test"]) -> Period | None:
    """A window as it was given on the command line, which JSON keeps as a list of two dates."""
    given = run.record.spec.get(name)
    if given is not None:
        return Period.parse(":".join(given))
    is_file = str(run.record.spec.get("asset")).endswith(".csv")
    return getattr(_recorded_windows(run), name) if is_file else None


def _recorded_windows(run: SeedRun) -> Windows:
    try:
        return parse(Windows, run.record.asset.get("windows") or {}, origin=f"{run.name}: `asset.windows`")
    except ConfigError as error:
        raise RecordError(error.message, hint=error.hint) from None


def _windowed(run: SeedRun, market: Market) -> Market:
    """The market with the windows of one step of a walk forward, which the spec does not have."""
    return replace(market, asset=market.asset.model_copy(update={"windows": _recorded_windows(run)}))


def _check(run: SeedRun, market: Market) -> None:
    record, asset = run.record, market.asset.model_dump(mode="json")
    pairs: dict[str, tuple[Any, Any]] = {
        "market.sha256": (record.market.sha256, market.sha256),
        "market.kind": (record.market.kind, market.kind),
        **{
            f"asset.{name}": (record.asset.get(name), asset[name])
            for name in ("id", "version", "asset_class", "windows", "calendar")
        },
    }
    for field, (recorded, found) in pairs.items():
        if recorded != found:
            raise RecordError(
                f"{run.name}: `{field}`: the record says {recorded}, the market that its spec names has "
                f"{found}",
                hint="name the data that the run was made on with --data",
            )
