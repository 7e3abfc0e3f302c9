import hashlib
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from flagbench.errors import ConfigError, MarketDataError
from flagbench.market.downloading import Patience, Remote, Unreachable, download, open_client

if TYPE_CHECKING:
    from tests.market.conftest import FileServer

CONTENT = np.random.default_rng(0).bytes(300_000)
HURRY = Patience(attempts=3, pause=0.0, timeout=5.0)


def remote(server: "FileServer", content: bytes = CONTENT) -> Remote:
    url = f"{server.base_url}/a%20b/bars.csv"
    return Remote(url, len(content), hashlib.sha256(content).hexdigest())


def get(wanted: Remote, path: Path, patience: Patience = HURRY) -> list[int]:
    """Download, and what was told of its progress."""
    told: list[int] = []
    with open_client(patience) as client:
        download(client, wanted, path, patience=patience, tell=told.append)
    return told


def refused(wanted: Remote, path: Path) -> MarketDataError:
    with pytest.raises(MarketDataError) as caught:
        get(wanted, path)
    return caught.value


@pytest.fixture
def path(server: "FileServer", tmp_path: Path) -> Path:
    """Where the file goes; the server has it."""
    server.files["a b/bars.csv"] = CONTENT
    return tmp_path / "sources" / "bars.csv"


@pytest.fixture
def part(path: Path) -> Path:
    """What an earlier call left behind: two thirds of the file."""
    path.parent.mkdir()
    begun = path.with_name("bars.csv.part")
    begun.write_bytes(CONTENT[:200_000])
    return begun


def test_a_file_is_put_in_place_whole_and_nothing_beside_it(server: "FileServer", path: Path) -> None:
    told = get(remote(server), path)
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["bars.csv"]
    assert (told[0], told[-1], told) == (0, 300_000, sorted(told))
    assert server.ranges == [None]


def test_a_file_that_lies_there_is_not_asked_for(server: "FileServer", path: Path) -> None:
    get(remote(server), path)
    assert get(remote(server), path) == [300_000]
    assert len(server.asked) == 1


@pytest.mark.parametrize("broken", [CONTENT[:-1], CONTENT[:-1] + b"\0", b""])
def test_a_file_that_was_broken_since_is_got_again(server: "FileServer", path: Path, broken: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(broken)
    get(remote(server), path)
    assert path.read_bytes() == CONTENT


def test_what_an_earlier_call_left_is_gone_on_from(server: "FileServer", path: Path, part: Path) -> None:
    told = get(remote(server), path)
    assert path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=200000-"]
    assert told[0] == 200_000
    assert not part.exists()


def test_a_server_without_ranges_sends_all_of_it(server: "FileServer", path: Path, part: Path) -> None:
    server.has_ranges = False
    get(remote(server), path)
    assert path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=200000-"]
    assert not part.exists()


def test_a_part_that_is_whole_needs_no_request(server: "FileServer", path: Path, part: Path) -> None:
    part.write_bytes(CONTENT)
    get(remote(server), path)
    assert (path.read_bytes(), server.asked) == (CONTENT, [])


@pytest.mark.parametrize("length", [10, 200_000, 300_000])
def test_the_beginning_of_another_file_is_thrown_away(
    server: "FileServer", path: Path, part: Path, length: int
) -> None:
    part.write_bytes(np.random.default_rng(1).bytes(length))
    get(remote(server), path)
    assert path.read_bytes() == CONTENT
    assert server.ranges[-1] is None


def test_a_part_longer_than_the_file_is_thrown_away(server: "FileServer", path: Path, part: Path) -> None:
    part.write_bytes(CONTENT + b"more")
    get(remote(server), path)
    assert (path.read_bytes(), server.ranges) == (CONTENT, [None])


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server: "FileServer", path: Path) -> None:
    server.spoil(cut_at=100_000)
    server.spoil(cut_at=150_000)
    told = get(remote(server), path)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-", "bytes=250000-"]
    assert told == sorted(told)


def test_an_answer_that_ends_early_without_having_said_its_length_is_taken_up(
    server: "FileServer", path: Path
) -> None:
    server.spoil(cut_at=100_000, says_length=False)
    get(remote(server), path)
    assert path.read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=100000-"]


def test_without_ranges_a_broken_connection_begins_again(server: "FileServer", path: Path) -> None:
    server.has_ranges = False
    server.spoil(cut_at=100_000)
    get(remote(server), path)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 2


def test_attempts_that_bring_nothing_are_counted_and_what_came_is_kept(
    server: "FileServer", path: Path
) -> None:
    server.spoil(cut_at=100_000)
    server.spoil(cut_at=0, times=3)
    error = refused(remote(server), path)
    assert error.message.startswith(f"{server.base_url}/a%20b/bars.csv cannot be had: ")
    assert "goes on from there" in error.hint
    assert server.ranges == [None] + ["bytes=100000-"] * 3
    assert path.with_name("bars.csv.part").read_bytes() == CONTENT[:100_000]
    get(remote(server), path)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_trouble_of_the_server_is_waited_for(server: "FileServer", path: Path, status: int) -> None:
    server.spoil(status=status, times=2)
    get(remote(server), path)
    assert (path.read_bytes(), len(server.asked)) == (CONTENT, 3)


def test_a_server_that_stays_in_trouble_is_given_up(server: "FileServer", path: Path) -> None:
    server.spoil(status=503, times=9)
    error = refused(remote(server), path)
    assert error.message.endswith("cannot be had: the server answers 503 Service Unavailable")
    assert not isinstance(error, Unreachable)
    assert len(server.asked) == HURRY.attempts


def test_pauses_double_and_a_server_may_ask_for_longer_ones(server: "FileServer", path: Path) -> None:
    patience = Patience(attempts=4, pause=0.05, timeout=5.0)
    server.spoil(status=503, times=3)
    begun = time.monotonic()
    get(remote(server), path, patience)
    assert time.monotonic() - begun >= 0.05 + 0.1 + 0.2
    path.unlink()
    server.spoil(status=503, header=("Retry-After", "1"))
    begun = time.monotonic()
    get(remote(server), path, patience)
    assert time.monotonic() - begun >= 1


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_file_that_is_gone_is_not_asked_for_twice(server: "FileServer", path: Path, status: int) -> None:
    server.spoil(status=status)
    error = refused(remote(server), path)
    assert f"the server answers {status} " in error.message
    assert "--from names a mirror" in error.hint
    assert len(server.asked) == 1


def test_other_content_is_refused_and_not_kept(server: "FileServer", path: Path) -> None:
    server.files["a b/bars.csv"] = np.random.default_rng(2).bytes(300_000)
    found = hashlib.sha256(server.files["a b/bars.csv"]).hexdigest()[:12]
    error = refused(remote(server), path)
    expected = remote(server).sha256[:12]
    assert error.message == (
        f"{server.base_url}/a%20b/bars.csv is not the file that is pinned: "
        f"its sha256 is {found}…, {expected}… is expected"
    )
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("content", [CONTENT[:-1], CONTENT + b"\n", b""])
def test_another_length_is_refused_and_not_kept(server: "FileServer", path: Path, content: bytes) -> None:
    server.files["a b/bars.csv"] = content
    error = refused(remote(server), path)
    assert error.message.endswith(f"it has {len(content)} bytes, 300000 are expected")
    assert (list(path.parent.iterdir()), len(server.asked)) == ([], 1)


def test_another_length_is_seen_when_a_part_is_asked_for(
    server: "FileServer", path: Path, part: Path
) -> None:
    server.files["a b/bars.csv"] = CONTENT[:250_000]
    assert refused(remote(server), path).message.endswith("it has 250000 bytes, 300000 are expected")
    assert not part.exists()


def test_a_part_longer_than_what_the_server_has_begins_again(
    server: "FileServer", path: Path, part: Path
) -> None:
    server.files["a b/bars.csv"] = CONTENT[:100_000]
    assert refused(remote(server), path).message.endswith("it has 100000 bytes, 300000 are expected")
    assert server.ranges == ["bytes=200000-", None]
    assert not part.exists()


def test_an_answer_without_length_that_does_not_end_is_left(server: "FileServer", path: Path) -> None:
    server.files["a b/bars.csv"] = CONTENT * 3
    server.spoil(says_length=False)
    assert refused(remote(server), path).message.endswith("it has more than 300000 bytes")
    assert list(path.parent.iterdir()) == []


def test_a_part_that_was_not_asked_for_is_not_appended(server: "FileServer", path: Path, part: Path) -> None:
    server.spoil(begins_at=1_000)
    get(remote(server), path)
    assert path.read_bytes() == CONTENT
    assert server.ranges == ["bytes=200000-", None]
    assert not part.exists()


def test_a_file_that_moved_is_followed(server: "FileServer", path: Path) -> None:
    server.files["elsewhere"] = CONTENT
    server.spoil(status=302, header=("Location", "/elsewhere"))
    get(remote(server), path)
    assert (path.read_bytes(), server.asked[-1]) == (CONTENT, "/elsewhere")


def test_a_file_that_moves_for_ever_is_given_up(server: "FileServer", path: Path) -> None:
    server.spoil(status=302, header=("Location", "/a%20b/bars.csv"), times=100)
    assert "cannot be had: " in refused(remote(server), path).message


def test_no_server_is_told_from_one_in_trouble(path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        wanted = Remote(f"http://127.0.0.1:{nobody.getsockname()[1]}/x", 1, "0" * 64)
        error = refused(wanted, path)
    assert isinstance(error, Unreachable)
    assert error.hint.startswith("is there a network?")


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        wanted = Remote(f"http://127.0.0.1:{mute.getsockname()[1]}/x", 1, "0" * 64)
        with pytest.raises(MarketDataError, match="cannot be had: timed out"):
            get(wanted, tmp_path / "x", Patience(attempts=2, pause=0.0, timeout=0.2))


def test_a_full_disk_is_named(server: "FileServer", path: Path, full_disk: Path) -> None:
    path.parent.mkdir()
    path.with_name("bars.csv.part").symlink_to(full_disk)
    error = refused(remote(server), path)
    assert error.message.startswith(f"{path} cannot be written: ")
    assert "No space left" in error.message
    assert error.hint == "free some space or choose another --out"


def test_a_file_in_the_place_of_a_folder_is_named(server: "FileServer", path: Path) -> None:
    path.parent.write_text("taken")
    assert refused(remote(server), path).message.startswith(f"{path} cannot be written: ")
    assert path.parent.read_text() == "taken"


def test_a_proxy_that_is_no_address_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://proxy")
    with pytest.raises(ConfigError, match="a proxy of the environment cannot be used"):
        get(Remote("http://127.0.0.1/x", 1, "0" * 64), path)
