"""The site over HTTP, for a look on this machine."""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

LOCAL = "127.0.0.1"
"""Nobody else on the network can ask for it."""


class _Quiet(SimpleHTTPRequestHandler):
    """Logs nothing, and lets a browser keep nothing, so that a site that was built anew is seen at once."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


def server_for(site: Path, port: int) -> ThreadingHTTPServer:
    """A server that is bound and not yet running.

    Args:
        site: the folder to serve.
        port: 0 for any that is free.

    Raises:
        OSError: the port is taken.
    """
    return ThreadingHTTPServer((LOCAL, port), partial(_Quiet, directory=str(site)))
