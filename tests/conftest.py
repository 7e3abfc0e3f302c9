import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pytest
from hypothesis import settings

from flagbench.market.asset import Asset, Calendar, Files, Windows
from flagbench.market.market import Market, content_hash
from flagbench.market.period import Period
from flagbench.market.price_file import DateArray
from flagbench.market.text_file import TextItem

# A busy machine is no failure.
settings.register_profile("flagbench", deadline=None)
settings.load_profile("flagbench")


ADDITION = """\
task: toy_addition
custom_dataset: !function flagbench.knowledge.choice_items.packaged
dataset_kwargs: {package: toy_addition_tasks, file: knowledge/toy_addition.jsonl}
output_type: multiple_choice
test_split: test
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
metadata: {version: 2}
"""


class MarketFactory(Protocol):
    """The type of `synthetic_market`; tests import it under `TYPE_CHECKING` only."""

    def __call__(
        self,
        closes: Sequence[float],
        *,
        opens: Sequence[float] | None = None,
        start: str = "2020-01-01",
        asset_class: Literal["equity", "crypto"] = "equity",
        text: Sequence[TextItem] = (),
        investorbench: Sequence[float] | None = None,
        volume: Sequence[float] | None = None,
        train: Period | None = None,
        test: Period | None = None,
    ) -> Market: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`long` tests first, so that no test process is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="session")
def synthetic_market() -> MarketFactory:
    """Makes a market of weekday bars from its closes; a bar opens at the close before it by default."""

    def make_market(
        closes: Sequence[float],
        *,
        opens: Sequence[float] | None = None,
        start: str = "2020-01-01",
        asset_class: Literal["equity", "crypto"] = "equity",
        text: Sequence[TextItem] = (),
        investorbench: Sequence[float] | None = None,
        volume: Sequence[float] | None = None,
        train: Period | None = None,
        test: Period | None = None,
    ) -> Market:
        close = np.array(closes, dtype=np.float64)
        before = np.concatenate([close[:1], close[:-1]])
        open_ = before if opens is None else np.array(opens, dtype=np.float64)
        traded = np.full(len(close), 1e6) if volume is None else np.array(volume, dtype=np.float64)
        dates = np.busday_offset(start, np.arange(len(close)), roll="forward").astype("datetime64[D]")
        bars = np.column_stack([open_, np.maximum(open_, close), np.minimum(open_, close), close, traded])
        other = None if investorbench is None else np.array(investorbench, dtype=np.float64)
        items = tuple(sorted(text, key=lambda item: item.date))
        windows = _default_windows(dates)
        asset = Asset(
            id="SYNTHETIC",
            version=1,
            name="Synthetic",
            asset_class=asset_class,
            currency="USD",
            calendar=Calendar(exchange="weekdays", periods_per_year=252),
            windows=Windows(train=train or windows.train, test=test or windows.test),
            files=Files(prices="SYNTHETIC/prices.csv"),
        )
        return Market(
            asset=asset,
            dates=dates,
            bars=bars,
            adjusted_close=close,
            investorbench=other,
            text=items,
            kind="market",
            sha256=content_hash(dates, bars, close, other, items),
        )

    return make_market


def _default_windows(dates: DateArray) -> Windows:
    """A fifth of the bars, twenty at most, lies before the training window; the rest is halved."""
    begin = min(20, len(dates) // 5)
    middle = max((begin + len(dates)) // 2, begin + 1)
    days = [*dates.tolist(), dates[-1].item()]
    return Windows(train=Period.of(days[begin], days[middle - 1]), test=Period.of(days[middle], days[-1]))


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real market data; tests that need it are skipped without one."""
    named = os.environ.get("FLAGBENCH_DATA")
    if not named:
        pytest.skip("FLAGBENCH_DATA is not set: this test needs the real market data")
    return Path(named)


@pytest.fixture(scope="module")
def toy_addition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A knowledge task of twelve items, so that a run that asks one takes no time.

    It is installed for this process and those that it starts, and gone with the module.
    """
    site = tmp_path_factory.mktemp("site")
    metadata, folder = site / "toy_addition_tasks-1.0.dist-info", site / "toy_addition_tasks" / "knowledge"
    metadata.mkdir()
    folder.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: toy_addition_tasks\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[flagbench.tasks]\ntoy_addition_tasks = toy_addition_tasks\n")
    (folder.parent / "__init__.py").write_text("")
    (folder / "toy_addition.yaml").write_text(ADDITION)
    items = [
        {
            "id": f"sum-{number}",
            "cluster": f"sum-{number}",
            "kind": "calculation",
            "question": f"What is {number} plus {number}?",
            "choices": [str(2 * number + shift - number % 4) for shift in range(4)],
            "answer": number % 4,
        }
        for number in range(12)
    ]
    (folder / "toy_addition.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
        yield "toy_addition"


class Fault(NamedTuple):
    """What a chat server does with one question in place of answering it."""

    status: int = 200
    body: bytes = b""
    header: tuple[str, str] | None = None
    stalls: bool = False  # it says nothing until the test is over
    drips: bool = False  # it sends a byte now and then until the test is over
    cut_at: int | None = None  # it closes the connection after so many bytes of the body


class ChatServer(ThreadingHTTPServer):
    """An OpenAI-compatible server that gives one answer, and can be told what to do wrong."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ChatHandler)
        self.tokens: list[str] = ['{"', "Action", '":', ' "', "Hold", '"}']
        self.alternatives: Mapping[str, Mapping[str, float]] = {}
        """Of a token, with log-probabilities; without any the server gives none at all."""
        self.usage: Mapping[str, int] | None = {"prompt_tokens": 100, "completion_tokens": 6}
        self.faults: list[Fault] = []  # of the next questions, one each
        self.asked: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.keys: list[str | None] = []  # what stood under `Authorization`
        self.over = threading.Event()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def spoil(self, *faults: Fault, times: int = 1) -> None:
        """Do something wrong with the next questions."""
        self.faults += list(faults) * times

    def completion(self, *, wants_log_probs: bool) -> bytes:
        """The answer as it is sent."""
        log_probs = [
            {
                "token": token,
                "logprob": -0.1,
                "bytes": None,
                "top_logprobs": [
                    {"token": text, "logprob": value, "bytes": None}
                    for text, value in self.alternatives.get(token, {token: -0.1}).items()
                ],
            }
            for token in self.tokens
        ]
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "".join(self.tokens)},
            "logprobs": {"content": log_probs} if wants_log_probs and self.alternatives else None,
        }
        body = {"id": "1", "object": "chat.completion", "model": "toy-1.5", "choices": [choice]}
        return json.dumps(body if self.usage is None else {**body, "usage": self.usage}).encode()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client may leave in the middle of an answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _ChatHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def log_message(self, *arguments: object) -> None:
        pass

    def do_POST(self) -> None:
        server = self.server
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.asked.append(question)
        server.paths.append(self.path)
        server.keys.append(self.headers.get("Authorization"))
        fault = server.faults.pop(0) if server.faults else None
        if fault is None:
            return self._send(200, server.completion(wants_log_probs="logprobs" in question))
        if fault.stalls:
            server.over.wait(30)
            self.close_connection = True
            return None
        return self._send(fault.status, fault.body, fault)

    def _send(self, status: int, body: bytes, fault: Fault | None = None) -> None:
        self.send_response(status)
        if fault is not None and fault.header is not None:
            self.send_header(*fault.header)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(1000 if fault is not None and fault.drips else len(body)))
        self.end_headers()
        while fault is not None and fault.drips and not self.server.over.wait(0.02):
            self.wfile.write(b" ")
        self.wfile.write(body if fault is None else body[: fault.cut_at])
        self.close_connection = fault is not None and (fault.drips or fault.cut_at is not None)


@pytest.fixture
def chat_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """A real server on this machine, which no proxy of the environment stands before; no key is set."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("FLAGBENCH_API_KEY", raising=False)
    with ChatServer() as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield serving
        serving.over.set()
        serving.shutdown()
        thread.join()
