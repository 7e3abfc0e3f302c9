import signal
import threading
from collections.abc import Iterator

import pytest

from flagbench.cli.termination import heard_terminations


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_it_interrupts_and_is_told_apart_from_ctrl_c() -> None:
    with heard_terminations() as heard:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert heard == []
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_where_ctrl_c_is_put_off_it_is_put_off_too() -> None:
    later: list[int] = []
    with heard_terminations() as heard:
        signal.signal(signal.SIGINT, lambda number, _: later.append(number))
        signal.raise_signal(signal.SIGTERM)
    assert (heard, later) == ([signal.SIGTERM], [signal.SIGINT])


def test_a_job_in_the_background_which_ignores_ctrl_c_still_ends() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with heard_terminations() as heard, pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGTERM]


def test_what_somebody_else_has_chosen_stays() -> None:
    chosen: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: chosen.append(number))
    try:
        with heard_terminations() as heard:
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert (heard, chosen) == ([], [signal.SIGTERM])


def test_a_thread_may_run_a_command() -> None:
    found: list[list[int]] = []

    def command() -> None:
        with heard_terminations() as heard:
            found.append(heard)

    thread = threading.Thread(target=command)
    thread.start()
    thread.join()
    assert found == [[]]
