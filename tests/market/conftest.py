import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import pytest


class Fault(NamedTuple):
    """What a server does wrong with one request."""

    status: int | None = None  # it answers this and nothing else
    cut_at: int | None = None  # it closes the connection after so many bytes of the answer's body
    says_length: bool = True
    begins_at: int | None = None  # it sends another part than it was asked for
    header: tuple[str, str] | None = None


class FileServer(ThreadingHTTPServer):
    """A server of bytes by path, with or without ranges, that can be told what to do wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.has_ranges = True
        self.faults: list[Fault] = []  # of the next requests, one each; `spoil` adds to them
        self.ranges: list[str | None] = []  # the `Range` of each request so far
        self.asked: list[str] = []  # its path

    def spoil(
        self,
        *,
        times: int = 1,
        status: int | None = None,
        cut_at: int | None = None,
        says_length: bool = True,
        begins_at: int | None = None,
        header: tuple[str, str] | None = None,
    ) -> None:
        """Do something wrong with the next requests."""
        fault = Fault(status, cut_at, says_length, begins_at, header)
        self.faults += [fault] * times

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may leave in the middle of an answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FileServer

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        self.server.asked.append(self.path)
        fault = self.server.faults.pop(0) if self.server.faults else Fault()
        whole = self.server.files.get(unquote(self.path).lstrip("/"))
        status = fault.status or (404 if whole is None else 200)
        if status != 200 or whole is None:
            return self._refuse(status, fault)
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.has_ranges else 0
        if begin and begin >= len(whole):
            return self._refuse(416, fault)
        shown = begin if fault.begins_at is None else fault.begins_at
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {shown}-{len(whole) - 1}/{len(whole)}")
        if fault.says_length:
            self.send_header("Content-Length", str(len(whole) - shown))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(whole[shown:] if fault.cut_at is None else whole[shown : shown + fault.cut_at])
        self.close_connection = fault.cut_at is not None or not fault.says_length
        return None

    def _refuse(self, status: int, fault: Fault) -> None:
        self.send_response(status)
        if fault.header is not None:
            self.send_header(*fault.header)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A real server on this machine, which no proxy of the environment stands before."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with FileServer() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()


@pytest.fixture
def full_disk(tmp_path: Path) -> Path:
    """A path at which nothing can be written because no space is left."""
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "full"
    path.symlink_to(device)
    return path
