import json
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagbench.agents.answer_cache import AnswerCache
from flagbench.agents.chat_completion import Completion, Question, retry_after
from flagbench.agents.completion_client import (
    LONGEST_PAUSE,
    CompletionClient,
    Retries,
    Unanswered,
    check_endpoint,
    pause_before,
)
from flagbench.agents.usage import Usage
from flagbench.errors import ConfigError

if TYPE_CHECKING:
    from tests.conftest import ChatServer, Fault

HURRY = Retries(tries=3, pause=0.001, timeout=5.0)
QUESTION = Question("What now?", seed=5, max_tokens=32, wants_log_probs=False)


@pytest.fixture
def fault() -> "type[Fault]":
    from tests.conftest import Fault

    return Fault


def client(
    endpoint: str,
    *,
    retries: Retries = HURRY,
    api_key: str | None = None,
    cache: Path | None = None,
    usage: Usage | None = None,
) -> CompletionClient:
    return CompletionClient(
        endpoint,
        "toy",
        retries=retries,
        api_key=api_key,
        api_key_variable="FLAGBENCH_API_KEY",
        cache=None if cache is None else AnswerCache(cache),
        usage=Usage() if usage is None else usage,
    )


def refused(server: "ChatServer", question: Question = QUESTION, retries: Retries = HURRY) -> Unanswered:
    with pytest.raises(Unanswered) as caught:
        client(server.endpoint, retries=retries).ask(question)
    return caught.value


# Questions and answers


def test_a_question_is_asked_as_servers_take_it(chat_server: "ChatServer") -> None:
    usage = Usage()
    answer = client(chat_server.endpoint + "/", usage=usage).ask(QUESTION)
    assert answer.text == '{"Action": "Hold"}'
    assert chat_server.paths == ["/v1/chat/completions"]
    assert chat_server.keys == [None]
    assert chat_server.asked == [
        {
            "model": "toy",
            "messages": [{"role": "user", "content": "What now?"}],
            "temperature": 0,
            "seed": 5,
            "max_tokens": 32,
        }
    ]
    assert usage.asked.to_json() == {"answers": 1, "prompt_tokens": 100, "completion_tokens": 6}
    assert (usage.models, usage.retries, usage.uncounted) == ({"toy-1.5"}, 0, 0)


def test_a_key_is_sent_as_a_bearer_token(chat_server: "ChatServer") -> None:
    client(chat_server.endpoint, api_key="sk-secret").ask(QUESTION)
    assert chat_server.keys == ["Bearer sk-secret"]


@pytest.mark.parametrize("key", ["sk\nsecret", "schlüssel"])
def test_what_is_no_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError, match="FLAGBENCH_API_KEY holds characters") as caught:
        client("http://127.0.0.1:1/v1", api_key=key)
    assert key not in caught.value.message


def test_log_probabilities_come_with_every_token(chat_server: "ChatServer") -> None:
    chat_server.alternatives = {"Hold": {"Hold": -0.5, "Buy": -1.5}}
    answer = client(chat_server.endpoint).ask(QUESTION._replace(wants_log_probs=True))
    assert (chat_server.asked[0]["logprobs"], chat_server.asked[0]["top_logprobs"]) == (True, 20)
    assert "".join(token.text for token in answer.tokens) == answer.text
    assert answer.tokens[4].alternatives == (("Hold", -0.5), ("Buy", -1.5))


def test_a_server_without_log_probabilities_is_told_of_and_not_kept(
    chat_server: "ChatServer", tmp_path: Path
) -> None:
    question = QUESTION._replace(wants_log_probs=True)
    with pytest.raises(ConfigError, match="gives no log-probabilities for `toy`") as caught:
        client(chat_server.endpoint, cache=tmp_path).ask(question)
    assert caught.value.hint.endswith("--set by=json")
    chat_server.alternatives = {"Hold": {"Hold": -0.5}}
    assert client(chat_server.endpoint, cache=tmp_path).ask(question).tokens


def test_what_a_server_did_not_count_is_told(chat_server: "ChatServer") -> None:
    chat_server.usage, usage = None, Usage()
    client(chat_server.endpoint, usage=usage).ask(QUESTION)
    assert (usage.asked.answers, usage.asked.prompt_tokens, usage.uncounted) == (1, 0, 1)


def test_a_model_that_says_nothing_has_an_empty_answer(
    chat_server: "ChatServer", fault: "type[Fault]"
) -> None:
    body = json.dumps({"choices": [{"message": {"content": None, "refusal": "no"}}]}).encode()
    chat_server.spoil(fault(body=body))
    answer = client(chat_server.endpoint).ask(QUESTION._replace(wants_log_probs=True))
    assert (answer.text, answer.tokens) == ("", ())


# The cache


def test_what_was_answered_is_not_asked_again(chat_server: "ChatServer", tmp_path: Path) -> None:
    first, second = Usage(), Usage()
    one = client(chat_server.endpoint, cache=tmp_path, usage=first).ask(QUESTION)
    two = client(chat_server.endpoint, cache=tmp_path, usage=second, api_key="k").ask(QUESTION)
    assert one == two
    assert len(chat_server.asked) == 1
    assert (first.asked.answers, first.cached.answers) == (1, 0)
    assert second.asked.answers == 0
    assert second.cached.to_json() == {"answers": 1, "prompt_tokens": 100, "completion_tokens": 6}
    assert second.models == {"toy-1.5"}


@pytest.mark.parametrize(
    "other",
    [
        QUESTION._replace(text="And now?"),
        QUESTION._replace(seed=6),
        QUESTION._replace(max_tokens=31),
    ],
)
def test_another_question_is_asked(chat_server: "ChatServer", tmp_path: Path, other: Question) -> None:
    asking = client(chat_server.endpoint, cache=tmp_path)
    for question in (QUESTION, other, QUESTION):
        asking.ask(question)
    assert len(chat_server.asked) == 2


def test_a_damaged_answer_is_asked_again(chat_server: "ChatServer", tmp_path: Path) -> None:
    asking = client(chat_server.endpoint, cache=tmp_path)
    asking.ask(QUESTION)
    (path,) = tmp_path.glob("*/*.json")
    path.write_bytes(path.read_bytes().replace(b"Hold", b"Sell"))
    assert asking.ask(QUESTION).text == '{"Action": "Hold"}'
    assert len(chat_server.asked) == 2
    asking.ask(QUESTION)
    assert len(chat_server.asked) == 2


# Passing troubles


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_passing_trouble_is_waited_for(
    chat_server: "ChatServer", fault: "type[Fault]", status: int
) -> None:
    chat_server.spoil(fault(status=status), times=2)
    usage = Usage()
    assert client(chat_server.endpoint, usage=usage).ask(QUESTION).text
    assert (len(chat_server.asked), usage.retries, usage.asked.answers) == (3, 2, 1)


BAD_BODIES = {
    "empty": b"",
    "page": b"<html>Welcome to nginx!</html>",
    "cut": b'{"choices": [{"message": {"cont',
    "list": b"[]",
    "error": b'{"error": {"message": "overloaded"}}',
    "no choice": b'{"choices": []}',
    "no message": b'{"choices": [{"text": "Buy"}]}',
    "number": b'{"choices": [{"message": {"content": 2}}]}',
    "counts": b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": -1}}',
    "no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_nonsense_is_asked_about_again_and_then_named(
    chat_server: "ChatServer", fault: "type[Fault]", body: bytes
) -> None:
    chat_server.spoil(fault(body=body))
    assert client(chat_server.endpoint).ask(QUESTION).text == '{"Action": "Hold"}'
    chat_server.spoil(fault(body=body), times=3)
    error = refused(chat_server)
    assert "the server answers what is no chat completion: " in error.message
    assert error.message.endswith("(3 tries)")
    assert "OpenAI-compatible" in error.hint
    assert "\n" not in error.message


def test_a_connection_that_breaks_is_opened_again(chat_server: "ChatServer", fault: "type[Fault]") -> None:
    chat_server.spoil(fault(body=b"x" * 100, cut_at=0), fault(body=b"x" * 100, cut_at=50))
    assert client(chat_server.endpoint).ask(QUESTION).text
    chat_server.spoil(fault(body=b"x" * 100, cut_at=50), times=3)
    error = refused(chat_server)
    assert "the connection failed: " in error.message
    assert "does the server run?" in error.hint


def test_nobody_there_is_named_with_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        endpoint = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        with pytest.raises(Unanswered) as caught:
            client(endpoint).ask(QUESTION)
    asked = f"{endpoint}/chat/completions was asked for a completion by `toy` (a prompt of 9 characters): "
    assert caught.value.message.startswith(f"{asked}the connection failed: ")


@pytest.mark.parametrize("way", ["stalls", "drips"])
def test_a_server_that_does_not_come_to_an_end_is_left(
    chat_server: "ChatServer", fault: "type[Fault]", way: str
) -> None:
    slow = fault(stalls=True) if way == "stalls" else fault(drips=True)
    retries = Retries(tries=2, pause=0.001, timeout=0.3)
    chat_server.spoil(slow, times=2)
    begun = time.monotonic()
    error = refused(chat_server, retries=retries)
    assert time.monotonic() - begun >= 0.6
    assert error.message.endswith("no answer within 0.3 s (2 tries)")
    assert "--set timeout=SECONDS" in error.hint
    assert len(chat_server.asked) == 2
    chat_server.spoil(slow)
    assert client(chat_server.endpoint, retries=Retries(2, 0.001, 2.0)).ask(QUESTION).text


def test_a_server_may_ask_for_a_pause(chat_server: "ChatServer", fault: "type[Fault]") -> None:
    chat_server.spoil(fault(status=429, header=("Retry-After", "1")))
    begun = time.monotonic()
    assert client(chat_server.endpoint).ask(QUESTION).text
    assert time.monotonic() - begun >= 1


def test_a_server_that_asks_for_a_long_pause_is_not_waited_for(
    chat_server: "ChatServer", fault: "type[Fault]"
) -> None:
    body = b'{"error": {"message": "The quota of\\nthe day is used up"}}'
    chat_server.spoil(fault(status=429, header=("Retry-After", "3600"), body=body))
    error = refused(chat_server)
    assert "429 Too Many Requests: The quota of the day is used up, and wants" in error.message
    assert error.message.endswith("to be left alone for 3600 s")
    assert "answers that came are kept" in error.hint
    assert len(chat_server.asked) == 1


def test_a_server_that_stays_in_trouble_is_given_up(chat_server: "ChatServer", fault: "type[Fault]") -> None:
    chat_server.spoil(fault(status=500, body=b'{"error": "out of memory"}'), times=9)
    error = refused(chat_server)
    assert error.message.endswith(
        "/v1/chat/completions was asked for a completion by `toy` (a prompt of 9 characters): "
        "the server answers 500 Internal Server Error: out of memory (3 tries)"
    )
    assert len(chat_server.asked) == 3


def test_pauses_double_up_to_a_minute_with_jitter_and_at_least_as_asked() -> None:
    retries = Retries(tries=9, pause=1.0, timeout=1.0)
    for attempt, longest in ((1, 1.0), (2, 2.0), (5, 16.0), (20, LONGEST_PAUSE)):
        drawn = [pause_before(attempt, retries, asked=0.0) for _ in range(500)]
        assert 0 <= min(drawn) < 0.1 * longest < 0.9 * longest < max(drawn) <= longest
    assert min(pause_before(1, retries, asked=7.0) for _ in range(100)) == 7.0


def test_a_pause_is_given_in_seconds_or_as_a_date() -> None:
    assert [retry_after(value) for value in ("7", "0.5", "-3", "soon", "", "nan", "inf")] == [7, 0.5] + [
        0
    ] * 5
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    assert 25 < retry_after(date) <= 30
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0


# Refusals


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (400, "OpenAI-compatible"),
        (401, "the environment variable FLAGBENCH_API_KEY"),
        (403, "the environment variable FLAGBENCH_API_KEY"),
        (404, "OpenAI-compatible"),
        (302, "OpenAI-compatible"),
    ],
)
def test_a_refusal_is_not_asked_about_again(
    chat_server: "ChatServer", fault: "type[Fault]", status: int, hint: str
) -> None:
    header = ("Location", "/v1/chat/completions")
    chat_server.spoil(fault(status=status, header=header, body=b"no, not this"))
    error = refused(chat_server)
    assert f"the server answers {status} " in error.message
    assert error.message.endswith(": no, not this")
    assert hint in error.hint
    assert len(chat_server.asked) == 1


def test_a_server_that_refuses_log_probabilities_is_told_of(
    chat_server: "ChatServer", fault: "type[Fault]"
) -> None:
    chat_server.spoil(fault(status=400, body=b'{"error": {"message": "logprobs are not supported"}}'))
    error = refused(chat_server, QUESTION._replace(wants_log_probs=True))
    assert "logprobs are not supported" in error.message
    assert error.hint.endswith("--set by=json")


def test_a_key_that_a_server_repeats_is_not_shown(chat_server: "ChatServer", fault: "type[Fault]") -> None:
    chat_server.spoil(fault(status=401, body=b'{"error": {"message": "wrong key sk-secret"}}'))
    with pytest.raises(Unanswered) as caught:
        client(chat_server.endpoint, api_key="sk-secret").ask(QUESTION)
    assert "wrong key …" in caught.value.message


@pytest.mark.parametrize(
    "endpoint", ["", "127.0.0.1:8000/v1", "ftp://127.0.0.1/v1", "http://", "file:///etc", "http://h:port/v1"]
)
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError, match="`endpoint` is no") as caught:
        check_endpoint(endpoint)
    assert "http://127.0.0.1:8000/v1" in caught.value.hint


@pytest.mark.parametrize("part", ["me:secret@127.0.0.1/v1", "127.0.0.1/v1?key=secret", "127.0.0.1/v1#secret"])
def test_an_endpoint_that_holds_a_secret_is_refused_and_not_shown(part: str) -> None:
    with pytest.raises(ConfigError, match="written to records") as caught:
        check_endpoint(f"http://{part}")
    assert "secret" not in caught.value.message


def test_a_completion_is_read_back_as_it_was_kept() -> None:
    body = (
        b'{"id": "x", "choices": [{"message": {"content": "Buy"}, "finish_reason": "stop"}], "usage": null}'
    )
    completion = Completion.from_body(body)
    assert Completion.from_json(completion.to_json()) == completion
    assert Completion.from_json({"choices": []}) is None
