import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import CommandLine, OnTerminal

COMMIT = "0123456789abcdef0123456789abcdef01234567"
BARS = "Date,Open,High,Low,Close,Adj Close,Volume\n2020-07-01,10,12,9,11,5,1\n2020-07-02,11,12,9,10,5,1\n"
PATIENCE = 60.0
"""Seconds; a busy machine takes its time."""


class _Quiet(SimpleHTTPRequestHandler):
    """Files of a folder; after `enough` bytes of an answer, if that is set, it waits for its end."""

    enough: int | None = None
    going_on = threading.Event()

    def log_message(self, *arguments: object) -> None:
        pass

    def copyfile(self, source: object, outputfile: object) -> None:
        content = source.read()  # type: ignore[attr-defined]
        outputfile.write(content[: self.enough])  # type: ignore[attr-defined]
        if self.enough is not None:
            outputfile.flush()  # type: ignore[attr-defined]
            self.going_on.wait(PATIENCE)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server of the folder `served`; the user's folders are empty, no data is named."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("FLAGBENCH_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    handler = partial(_Quiet, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        _Quiet.going_on.set()
        server.shutdown()
        thread.join()
        _Quiet.going_on.clear()


def asset(name: str, content: str = BARS, *, served: str | None = BARS) -> str:
    """The file of an asset whose prices are pinned as `content`; what the server has may be another."""
    if served is not None:
        path = Path("served", "somebody", "metals", COMMIT, f"{name}.csv")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(served)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    Path(f"{name}.yaml").write_text(
        f"{{id: {name}, version: 1, name: {name}, asset_class: equity, currency: USD, "
        "calendar: {exchange: XNYS, periods_per_year: 252}, "
        "windows: {train: '2020-07-01:2020-07-02', test: '2020-07-06:2020-07-07'}, "
        f"files: {{prices: {name}/prices.csv, text: {name}/text.jsonl.gz}}, "
        f"sources: [{{makes: [prices.csv], repository: somebody/metals, commit: '{COMMIT}', "
        f"path: {name}.csv, licence: MIT, size: {len(content)}, sha256: '{sha256}'}}]}}"
    )
    return f"{name}.yaml"


def test_markets_are_fetched_into_the_cache_folder_a_line_each_and_the_folder_last(
    flagbench: "CommandLine", mirror: str, tmp_path: Path
) -> None:
    gold, silver = asset("GOLD"), asset("SILVER")
    outcome = flagbench("data", "fetch", gold, silver, gold, "--from", mirror)
    assert (outcome.status, outcome.err) == (0, "")
    first, second, folder = outcome.out.splitlines()
    held = "2 bars from 2020-07-01 to 2020-07-02, 0 texts (no public file makes them), content hash "
    assert first.startswith(f"GOLD: {held}")
    assert second.startswith(f"SILVER: {held}")
    assert folder == str(tmp_path / "cache" / "flagbench" / "data")
    assert (Path(folder) / "market" / "GOLD" / "prices.csv").is_file()
    again = flagbench("data", "fetch", gold, "--from", mirror)
    assert again.out.splitlines() == [f"{first}, was there already", folder]


def test_what_was_fetched_is_what_a_run_without_data_reads(flagbench: "CommandLine", mirror: str) -> None:
    flagbench("data", "fetch", asset("GOLD"), "--from", mirror)
    outcome = flagbench("data", "export", "--asset", "GOLD.yaml", "--out", "copy")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("GOLD: 2 bars, 0 texts\n")


def test_another_folder_may_be_chosen(flagbench: "CommandLine", mirror: str) -> None:
    outcome = flagbench("data", "fetch", asset("GOLD"), "--from", mirror, "--out", "mine")
    assert (outcome.status, outcome.last_line) == (0, "mine")
    assert sorted(path.name for path in Path("mine", "market", "GOLD").iterdir()) == [
        "market.json",
        "prices.csv",
        "text.jsonl.gz",
    ]


def test_who_names_another_folder_is_told_that_it_is_read_instead(
    flagbench: "CommandLine", mirror: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FLAGBENCH_DATA", "elsewhere")
    outcome = flagbench("data", "fetch", asset("GOLD"), "--from", mirror)
    cache = tmp_path / "cache" / "flagbench" / "data"
    assert outcome.err == f"note: FLAGBENCH_DATA names another folder; --data {cache} reads this one\n"


def test_one_asset_that_is_gone_does_not_keep_the_others_away(flagbench: "CommandLine", mirror: str) -> None:
    names = asset("COPPER", served=None), asset("GOLD"), asset("TIN", served=BARS.replace("12", "13"))
    outcome = flagbench("data", "fetch", *names, "--from", mirror, "--out", "mine")
    assert outcome.status == 2
    assert outcome.out.startswith("GOLD: ")
    assert len(outcome.out.splitlines()) == 1
    errors = [line for line in outcome.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    assert "COPPER.csv cannot be had: the server answers 404 " in errors[0]
    assert "TIN.csv is not the file that is pinned: its sha256 is " in errors[1]
    assert errors[2] == "error: not fetched: COPPER, TIN; the others lie in mine"


def refused(flagbench: "CommandLine", *arguments: object) -> list[str]:
    outcome = flagbench("data", "fetch", *arguments)
    assert (outcome.status, outcome.out) == (2, "")
    lines = outcome.err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["error", "hint"]
    return [line.partition(": ")[2] for line in lines]


def test_a_single_asset_that_is_gone_is_one_error(flagbench: "CommandLine", mirror: str) -> None:
    error, hint = refused(flagbench, asset("GOLD", served=None), "--from", mirror)
    assert error.startswith(
        f"{mirror}/somebody/metals/{COMMIT}/GOLD.csv cannot be had: the server answers 404"
    )
    assert "--from names a mirror" in hint


def test_an_unknown_asset_is_told_before_anything_is_fetched(flagbench: "CommandLine", mirror: str) -> None:
    error, hint = refused(flagbench, asset("GOLD"), "TLSA", "--from", mirror, "--out", "mine")
    assert (error, hint) == ("unknown asset `TLSA`", "did you mean `TSLA`?")
    assert not Path("mine").exists()


@pytest.mark.parametrize("arguments", [(), ("TSLA", "--all")])
def test_assets_are_named_or_all_are_meant(flagbench: "CommandLine", arguments: tuple[str, ...]) -> None:
    error, hint = refused(flagbench, *arguments)
    assert (error, hint) == ("either name assets or give --all", "flagbench data fetch TSLA")


@pytest.mark.parametrize("address", ["raw.example.org", "ftp://example.org"])
def test_what_is_no_address_is_named(flagbench: "CommandLine", mirror: str, address: str) -> None:
    assert refused(flagbench, "--all", "--from", address)[0] == f"`{address}` is no address"


def test_a_server_that_lacks_everything_is_asked_for_every_asset(
    flagbench: "CommandLine", mirror: str
) -> None:
    Path("served").mkdir()
    outcome = flagbench("data", "fetch", "--all", "--from", mirror, "--out", "mine")
    assert (outcome.status, outcome.out) == (2, "")
    last = outcome.err.splitlines()[-1]
    assert (
        last == "error: not fetched: BTC, ETH, HON, JNJ, MSFT, NFLX, SPY, TSLA, UVV; the others lie in mine"
    )


def test_without_a_network_no_other_asset_is_tried(flagbench: "CommandLine", mirror: str) -> None:
    error, hint = refused(flagbench, "TSLA", "MSFT", "--from", "http://127.0.0.1:9", "--out", "mine")
    assert error.startswith("http://127.0.0.1:9/dieperdev/yfinance-stock-data/a342efb774")
    assert hint.startswith("is there a network?")


def test_a_folder_that_cannot_be_written_is_named(flagbench: "CommandLine", mirror: str) -> None:
    Path("taken").write_text("mine")
    error, _ = refused(flagbench, asset("GOLD"), "--from", mirror, "--out", "taken")
    assert error.startswith("taken cannot be written: ")


def fetching(mirror: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "flagbench",
        "data",
        "fetch",
        "GOLD.yaml",
        "--from",
        mirror,
        "--out",
        "mine",
    ]


def test_ctrl_c_leaves_what_came_and_the_same_command_goes_on_from_there(
    mirror: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A shell's background jobs ignore Ctrl-C, and so would every process that a test starts.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    asset("GOLD")
    monkeypatch.setattr(_Quiet, "enough", 60)
    part = Path("mine", "sources", "somebody", "metals", COMMIT, "GOLD.csv.part")
    with subprocess.Popen(
        fetching(mirror), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and not (part.exists() and part.stat().st_size):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    signal.signal(signal.SIGINT, before)
    assert (process.returncode, out) == (130, "")
    assert err == "interrupted; what was downloaded is kept, and the same command goes on from there\n"
    assert part.read_text() == BARS[:60]
    assert not Path("mine", "market").exists()
    _Quiet.going_on.set()
    monkeypatch.setattr(_Quiet, "enough", None)
    done = subprocess.run(fetching(mirror), capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stderr, done.stdout.splitlines()[-1]) == (0, "", "mine")
    assert not part.exists()


def test_on_a_terminal_a_bar_shows_bytes(mirror: str, on_terminal: "OnTerminal") -> None:
    asset("GOLD")
    status, shown, _ = on_terminal(fetching(mirror)[1:], columns=100)
    assert status == 0
    assert "GOLD" in shown
    assert "━" in shown
    assert f"{len(BARS)}/{len(BARS)} bytes" in shown
    assert shown.endswith("\x1b[2K")  # it wipes itself off, so that only the result stays


def test_what_is_fetched_loads_no_torch(mirror: str) -> None:
    asset("GOLD")
    script = (
        "import sys; from flagbench.cli.main import main; status = main(sys.argv[1:]); "
        "assert not {'torch', 'transformers'} & set(sys.modules); sys.exit(status)"
    )
    command = [sys.executable, "-c", script, *fetching(mirror)[3:]]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
