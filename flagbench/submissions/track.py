"""A track: what every submission to it has in common, declared in `tracks/<id>.yaml` of a task package."""

from dataclasses import replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.asset import load_asset
from flagbench.market.loading import fetch_command, resolve_market
from flagbench.market.market import Market, content_hash
from flagbench.market.replica import parse_replica
from flagbench.registry import task_files
from flagbench.settings import Settings, read_installed
from flagbench.submissions.submission import Name, Seed, Sha256
from flagbench.trading.protocol import Protocol, SetupDefaults, load_protocol

MAX_UNPARSED = 0.01
"""Share of answers that were no action from which a submission is refused: shared rule of all tracks."""


class Track(Settings):
    """Assets, protocol and seeds that a submission must have, no more and no fewer."""

    id: Name
    version: Annotated[int, Field(gt=0)]
    """Raised whenever a figure may change; submissions to another version are refused."""
    title: str
    description: str
    kind: Literal["market", "replica"]
    protocol: str
    """A protocol's id, or a YAML file; one of a single test window."""
    data: str | None = None
    """The replica that is traded; null for markets."""
    assets: Annotated[tuple[Name, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    """The public seeds."""
    knowledge: str
    """The suite that a language model is asked before and after."""
    env_steps: Annotated[int, Field(gt=0)] | None = None
    """The training budget that all agents that learn share; null for the protocol's."""
    num_envs: Annotated[int, Field(gt=0)] | None = None
    """The same of environments that run in step."""
    markets: dict[Name, Sha256] | None = None
    """Content hash of each asset's market; null for the one that the asset's file pins."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.data is not None) != (self.kind == "replica"):
            raise ValueError("a replica track names its `data`, and a market track none")
        if self.data is not None:
            parse_replica(self.data)
        if self.markets is not None and set(self.markets) != set(self.assets):
            raise ValueError("`markets` pins every asset and no other")
        return self

    @property
    def cells(self) -> list[tuple[str, int]]:
        """Every asset and seed, in the order in which a submission lists its runs."""
        return [(asset, seed) for asset in sorted(self.assets) for seed in sorted(self.seeds)]

    @property
    def shared_setup(self) -> SetupDefaults:
        """What all agents that learn share."""
        given = {"env_steps": self.env_steps, "num_envs": self.num_envs}
        update = {name: value for name, value in given.items() if value is not None}
        return self.rules.setup.model_copy(update=update)

    @property
    def rules(self) -> Protocol:
        """The protocol.

        Raises:
            ConfigError: it walks forward: a submission has one test window an asset.
        """
        protocol = load_protocol(self.protocol)
        if protocol.walk_forward is not None:
            raise ConfigError(f"track `{self.id}`: protocol `{self.protocol}` has several test windows")
        return protocol

    def market_sha256(self, asset: str) -> str | None:
        """Which content an asset's market must have; None where nothing says."""
        if self.markets is not None:
            return self.markets[asset]
        return load_asset(asset).content_sha256 if self.kind == "market" else None


class TrackMarkets:
    """The markets of a track, each loaded once and held against its pinned content.

    Args:
        track: names them.
        data: a data folder; None for FLAGBENCH_DATA or the user's cache folder.
    """

    def __init__(self, track: Track, data: str | None = None) -> None:
        self.track, self._data = track, data
        self._loaded: dict[str, Market] = {}

    def of(self, asset: str) -> Market:
        """One asset's market, with the track's windows.

        Raises:
            MarketDataError: it is not there, or has another content than the track's.
        """
        if asset not in self._loaded:
            self._loaded[asset] = self._load(asset)
        return self._loaded[asset]

    def _load(self, asset: str) -> Market:
        track = self.track
        market = resolve_market(asset, data=self._data if track.data is None else track.data)
        pinned = track.market_sha256(asset)
        if pinned is None or market.sha256 == pinned:
            return market
        bare = _without_text(market)  # a folder may hold text that no public source makes
        if bare.sha256 == pinned:
            return bare
        get = fetch_command(market.asset)
        raise MarketDataError(
            f"{market.label}: its content is {market.sha256[:12]}, track `{track.id}` is about {pinned[:12]}",
            hint=f"get the public one: {get}" if track.kind == "market" and get else "name it with --data",
        )


def _without_text(market: Market) -> Market:
    digest = content_hash(market.dates, market.bars, market.adjusted_close, market.investorbench, ())
    return replace(market, text=(), sha256=digest)


def track_names() -> list[str]:
    """Ids of all installed tracks, sorted."""
    return sorted(task_files("tracks"))


def load_track(name: str) -> Track:
    """The installed track of that id, or one described by a YAML file of the user's.

    Raises:
        UnknownNameError: no such track.
        ConfigError: the YAML file is broken.
    """
    return read_installed(Track, name, kind="track", installed=task_files("tracks"))
