"""One public file by HTTP: resumed where it stopped, held against its size and sha256, put in place whole."""

import hashlib
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import httpx2

from flagbench.errors import ConfigError, MarketDataError
from flagbench.version import __version__

# What `curl --retry` takes for passing troubles of a server.
PASSING = {408, 429, 500, 502, 503, 504}
LONGEST_PAUSE = 60.0
"""Seconds; a server that asks for more is asked again after these."""

Tell = Callable[[int], None]
"""Told how many bytes of a file there are by now; fewer than before where it had to begin again."""


class Patience(NamedTuple):
    """How long a server is waited for."""

    attempts: int = 4
    """Attempts in a row that bring no byte, before it is given up."""
    pause: float = 1.0
    """Seconds before the next attempt, doubled after each that brought nothing, as `curl --retry` does."""
    timeout: float = 30.0
    """Seconds without a connection, or without a byte."""


class Unreachable(MarketDataError):  # noqa: N818 - what it says of the server
    """No answer came: the server will have no other file either."""


class Remote(NamedTuple):
    """A file that is expected at an address."""

    url: str
    size: int  # in bytes
    sha256: str


class _Passing(Exception):  # noqa: N818 - no error of the program
    """A trouble after which the same request may well succeed."""

    def __init__(self, trouble: str, *, wait: float = 0.0, is_reached: bool = True) -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.wait = wait
        self.is_reached = is_reached


def open_client(patience: Patience) -> httpx2.Client:
    """A client that obeys the proxies of the environment.

    Raises:
        ConfigError: a proxy of the environment is no address.
    """
    # Packed, a file could neither be resumed nor held against its size.
    headers = {"User-Agent": f"flagbench/{__version__}", "Accept-Encoding": "identity"}
    try:
        return httpx2.Client(headers=headers, timeout=patience.timeout, follow_redirects=True)
    except (ValueError, httpx2.InvalidURL) as error:
        raise ConfigError(
            f"a proxy of the environment cannot be used: {error}",
            hint="mend HTTP_PROXY, HTTPS_PROXY or ALL_PROXY",
        ) from error


def download(client: httpx2.Client, remote: Remote, path: Path, *, patience: Patience, tell: Tell) -> None:
    """Get a file, unless it lies there already.

    What has come stays in `<path>.part` until it is whole, so that a later call goes on from there.

    Raises:
        Unreachable: no answer came.
        MarketDataError: it is not at its address, not the file that is pinned, or cannot be written.
    """
    try:
        if path.is_file() and path.stat().st_size == remote.size and _sha256(path) == remote.sha256:
            tell(remote.size)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        is_resumed = _bytes_in(part) > 0
        _fill(client, remote, part, patience=patience, tell=tell)
        if is_resumed and _sha256(part) != remote.sha256:
            part.unlink()  # what lay there was the beginning of something else
            _fill(client, remote, part, patience=patience, tell=tell)
        if (found := _sha256(part)) != remote.sha256:
            part.unlink()
            raise _not_as_pinned(remote, f"its sha256 is {found[:12]}…, {remote.sha256[:12]}… is expected")
        part.replace(path)
    except OSError as error:
        raise MarketDataError(
            f"{path} cannot be written: {error}", hint="free some space or choose another --out"
        ) from error


def _fill(client: httpx2.Client, remote: Remote, part: Path, *, patience: Patience, tell: Tell) -> None:
    """Request what is missing of a part until nothing is."""
    failures = 0
    while (have := _bytes_in(part)) != remote.size:
        if have > remote.size:
            part.unlink()
            continue
        tell(have)
        try:
            _receive(client, remote, part, have=have, tell=tell)
            trouble = _Passing("the answer ended early")
        except _Passing as passing:
            trouble = passing
        now = _bytes_in(part)
        if now == remote.size:
            return
        failures = 0 if now > have else failures + 1
        if failures == patience.attempts:
            kind = MarketDataError if trouble.is_reached else Unreachable
            raise kind(
                f"{remote.url} cannot be had: {trouble.trouble}",
                hint="is there a network? what has come is kept, and the same command goes on from there",
            )
        time.sleep(max(trouble.wait, patience.pause * 2 ** max(0, failures - 1)))


def _receive(client: httpx2.Client, remote: Remote, part: Path, *, have: int, tell: Tell) -> None:
    """One request: append what comes to the part, or begin it anew where the server sends all of it."""
    try:
        headers = {"Range": f"bytes={have}-"} if have else {}
        with client.stream("GET", remote.url, headers=headers) as response:
            _check_status(response, remote, part)
            begin = _first_byte(response)
            if begin not in (0, have):
                part.unlink(missing_ok=True)
                raise _Passing(f"the answer begins at byte {begin}, not at {have}")
            with part.open("ab" if begin else "wb") as stream:
                for chunk in response.iter_raw():
                    begin += len(chunk)
                    if begin > remote.size:
                        break
                    stream.write(chunk)
                    stream.flush()  # whatever happens next, this much has come
                    tell(begin)
        if begin > remote.size:
            part.unlink()
            raise _not_as_pinned(remote, f"it has more than {remote.size} bytes")
    except httpx2.TransportError as error:
        unreached = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError)
        trouble = str(error) or type(error).__name__
        raise _Passing(trouble, is_reached=not isinstance(error, unreached)) from error
    except (httpx2.RequestError, httpx2.InvalidURL) as error:
        raise MarketDataError(f"{remote.url} cannot be had: {error}") from error


def _check_status(response: httpx2.Response, remote: Remote, part: Path) -> None:
    status = f"{response.status_code} {response.reason_phrase}"
    if response.status_code in PASSING:
        asked = response.headers.get("Retry-After", "")
        wait = min(float(asked), LONGEST_PAUSE) if asked.isdecimal() else 0.0
        raise _Passing(f"the server answers {status}", wait=wait)
    if response.status_code == 416:  # more lies here than the server has
        part.unlink(missing_ok=True)
        raise _Passing(f"the server answers {status}")
    if response.status_code not in (200, 206):
        raise MarketDataError(
            f"{remote.url} cannot be had: the server answers {status}",
            hint="its owner may have removed it; --from names a mirror",
        )
    # Of a part the whole's length stands behind the slash of `bytes 5-99/100`.
    name = "Content-Length" if response.status_code == 200 else "Content-Range"
    length = response.headers.get(name, "").rpartition("/")[2]
    if length.isdecimal() and int(length) != remote.size:
        part.unlink(missing_ok=True)
        raise _not_as_pinned(remote, f"it has {length} bytes, {remote.size} are expected")


def _first_byte(response: httpx2.Response) -> int:
    """Where in the file an answer begins; -1 where it does not say."""
    if response.status_code == 200:
        return 0
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else -1


def _not_as_pinned(remote: Remote, difference: str) -> MarketDataError:
    return MarketDataError(
        f"{remote.url} is not the file that is pinned: {difference}",
        hint="the server, or what stands before it, sends something else; --from names a mirror",
    )


def _bytes_in(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
