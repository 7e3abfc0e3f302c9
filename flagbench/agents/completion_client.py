"""Questions to an OpenAI-compatible server: asked again after passing troubles, kept once answered.

Such servers take `POST <endpoint>/chat/completions`; vLLM, llama.cpp, Ollama and most vendors have one. Asked
is at temperature 0 and with a seed, which servers honour as well as they can.
"""

import random
import time
import weakref
from typing import NamedTuple

import httpx2

from flagbench.agents.answer_cache import AnswerCache, cache_key
from flagbench.agents.chat_completion import Completion, Question, read_error, retry_after
from flagbench.agents.usage import Usage
from flagbench.errors import AgentError, ConfigError
from flagbench.market.downloading import Patience, open_client

LONGEST_PAUSE = 60.0
"""Seconds, which outlast a limit counted by the minute. A server that asks for more is not waited for."""

LARGEST_ANSWER = 16 * 1024 * 1024
"""Bytes; an answer with all its alternatives has some ten thousand."""

PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 after which the same question may be answered: RFC 9110 (408), 8470 (425), 6585 (429);
409 as OpenAI's own client takes it."""


class Retries(NamedTuple):
    """How often a question is asked, and how long an answer is waited for."""

    tries: int
    pause: float
    """Seconds before the second try at most; doubled for each further one."""
    timeout: float
    """Seconds for a whole answer."""


class Unanswered(AgentError):  # noqa: N818 - what became of a question
    """A server refused a question, or did not answer it in all tries."""


class _Passing(Exception):  # noqa: N818 - no error of the program
    """A trouble after which the same question may well be answered."""

    def __init__(self, trouble: str, *, hint: str, wait: float = 0.0) -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.hint = hint
        self.wait = wait


COMPATIBLE = "is it the base address of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1?"
LATER = "the same command later goes on from here: answers that came are kept"


class CompletionClient:
    """Asks one model of one server.

    Args:
        endpoint: the base address, such as `http://127.0.0.1:8000/v1`.
        model: as the server names it.
        retries: how often and how long.
        api_key: sent as a bearer token and written nowhere; None for a server that wants none.
        api_key_variable: where it comes from, for hints.
        cache: where answers are kept; None to keep none.
        usage: what answers are counted in.

    Raises:
        ConfigError: the endpoint is no address or holds a secret, or the key is none.
    """

    def __init__(
        self,
        endpoint: str,
        model: str,
        *,
        retries: Retries,
        api_key: str | None,
        api_key_variable: str,
        cache: AnswerCache | None,
        usage: Usage,
    ) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise ConfigError(f"{api_key_variable} holds characters that no key has, such as a line's end")
        self._url = f"{check_endpoint(endpoint)}/chat/completions"
        self._model = model
        self._retries = retries
        self._api_key = api_key
        self._api_key_variable = api_key_variable
        self._cache = cache
        self._usage = usage
        self._client = open_client(Patience(timeout=retries.timeout))
        weakref.finalize(self, self._client.close)

    def ask(self, question: Question) -> Completion:
        """The answer to a question, from the cache where it was asked before.

        Raises:
            Unanswered: the server refused it, or all tries failed.
            ConfigError: it gives no log-probabilities, or the cache cannot be used.
        """
        key = cache_key({"url": self._url, "body": question.body(self._model)})
        kept = None if self._cache is None else self._cache.read(key)
        known = None if kept is None else Completion.from_json(kept)
        if known is not None:
            self._count(known, is_cached=True)
            return known
        completion = self._answered(question)
        self._count(completion, is_cached=False)
        if question.wants_log_probs and not completion.has_log_probs:
            raise ConfigError(
                f"{self._url} gives no log-probabilities for `{self._model}`",
                hint="read what it generates instead: --set by=json",
            )
        if self._cache is not None:
            self._cache.write(key, completion.to_json())
        return completion

    def _count(self, completion: Completion, *, is_cached: bool) -> None:
        usage = self._usage
        if completion.model:
            usage.models.add(completion.model)
        counts = completion.usage
        count = usage.cached if is_cached else usage.asked
        count.add(counts.prompt_tokens if counts else 0, counts.completion_tokens if counts else 0)
        usage.uncounted += counts is None and not is_cached

    def _answered(self, question: Question) -> Completion:
        """The server's answer, after as many tries as are allowed."""
        trouble = _Passing("it was not asked", hint="")
        for attempt in range(self._retries.tries):
            if attempt:
                self._usage.retries += 1
                time.sleep(pause_before(attempt, self._retries, asked=trouble.wait))
            try:
                return self._request(question)
            except _Passing as passing:
                trouble = passing
            if trouble.wait > LONGEST_PAUSE:
                wanted = f"{trouble.trouble}, and wants to be left alone for {trouble.wait:.0f} s"
                raise self._unanswered(question, wanted, hint=LATER)
        tries = "1 try" if self._retries.tries == 1 else f"{self._retries.tries} tries"
        raise self._unanswered(question, f"{trouble.trouble} ({tries})", hint=trouble.hint)

    def _request(self, question: Question) -> Completion:
        """One try."""
        headers = {} if self._api_key is None else {"Authorization": f"Bearer {self._api_key}"}
        deadline = time.monotonic() + self._retries.timeout
        try:
            with self._client.stream(
                "POST", self._url, json=question.body(self._model), headers=headers, follow_redirects=False
            ) as response:
                content = self._content(response, deadline)
        except httpx2.TimeoutException as error:
            raise self._too_late() from error
        except httpx2.RequestError as error:
            trouble = f"the connection failed: {str(error) or type(error).__name__}"
            raise _Passing(trouble, hint=f"does the server run? {LATER}") from error
        if response.status_code != 200:
            raise self._refusal(question, response, content)
        try:
            return Completion.from_body(content)
        except ValueError as error:
            trouble = f"the server answers what is no chat completion: {error}"
            raise _Passing(trouble, hint=COMPATIBLE) from error

    def _content(self, response: httpx2.Response, deadline: float) -> bytes:
        """The whole body; a server may send a byte now and then for ever."""
        content = b""
        for chunk in response.iter_bytes():
            content += chunk
            if time.monotonic() > deadline:
                raise self._too_late()
            if len(content) > LARGEST_ANSWER:
                raise _Passing(f"the server answers more than {LARGEST_ANSWER} bytes", hint=COMPATIBLE)
        return content

    def _too_late(self) -> _Passing:
        return _Passing(
            f"no answer within {self._retries.timeout:g} s",
            hint=f"allow more with --set timeout=SECONDS; {LATER}",
        )

    def _refusal(self, question: Question, response: httpx2.Response, content: bytes) -> Exception:
        """What a status other than 200 comes to."""
        status, said = response.status_code, read_error(content)
        if self._api_key:
            said = said.replace(self._api_key, "…")
        trouble = f"the server answers {status} {response.reason_phrase}".rstrip()
        trouble += f": {said}" if said else ""
        if status in PASSING or status >= 500:
            return _Passing(trouble, hint=LATER, wait=retry_after(response.headers.get("Retry-After", "")))
        hint = COMPATIBLE
        if status in (401, 403):
            hint = f"put the server's key into the environment variable {self._api_key_variable}"
        elif status in (400, 422) and question.wants_log_probs:
            hint = "if it takes no `logprobs`, read what it generates instead: --set by=json"
        return self._unanswered(question, trouble, hint=hint)

    def _unanswered(self, question: Question, trouble: str, *, hint: str) -> Unanswered:
        return Unanswered(
            f"{self._url} was asked for a completion by `{self._model}` "
            f"(a prompt of {len(question.text)} characters): {trouble}",
            hint=hint,
        )


def pause_before(attempt: int, retries: Retries, *, asked: float) -> float:
    """Seconds to wait before a try: full jitter, at least what the server asked for.

    Source: Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. The chance in it is no
    part of a run.

    Args:
        attempt: 1 for the second try.
        retries: the first pause.
        asked: seconds.
    """
    longest = min(LONGEST_PAUSE, retries.pause * 2 ** (attempt - 1))
    return max(asked, random.SystemRandom().uniform(0, longest))


def check_endpoint(endpoint: str) -> str:
    """An endpoint without a slash at its end.

    Raises:
        ConfigError: it is no address, or holds a password or a query, which would stand in every record.
    """
    try:
        url = httpx2.URL(endpoint)
    except (httpx2.InvalidURL, TypeError, ValueError) as error:
        raise ConfigError(f"`endpoint` is no address: {error}", hint=COMPATIBLE) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError(f"`endpoint` is no http address: {endpoint!r}", hint=COMPATIBLE)
    if url.userinfo or url.query or url.fragment:
        raise ConfigError(
            "`endpoint` holds a user, a query or a fragment, and endpoints are written to records",
            hint="give the base address alone; a key belongs into the environment variable FLAGBENCH_API_KEY",
        )
    return endpoint.rstrip("/")
