"""The form of questions and answers that OpenAI-compatible servers share: `POST …/chat/completions`."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, ValidationError

from flagbench.agents.answer import TokenChoice

ALTERNATIVES = 20
"""`top_logprobs`: the most that OpenAI's API reference allows, and vLLM's `--max-logprobs` by default."""

SHOWN = 200
"""Characters of what a server says of an error."""


class Question(NamedTuple):
    """One turn of a user."""

    text: str
    seed: int
    max_tokens: int
    """The most tokens of the answer."""
    wants_log_probs: bool

    def body(self, model: str) -> dict[str, Any]:
        """The request as plain values, at temperature 0."""
        asked: dict[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": self.text}],
            "temperature": 0,
            "seed": self.seed,
            "max_tokens": self.max_tokens,
        }
        if self.wants_log_probs:
            asked |= {"logprobs": True, "top_logprobs": ALTERNATIVES}
        return asked


class _Alternative(BaseModel):
    token: str
    logprob: FiniteFloat


class _Token(_Alternative):
    top_logprobs: list[_Alternative] | None = None


class _LogProbs(BaseModel):
    content: list[_Token] | None = None


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    logprobs: _LogProbs | None = None


class TokenCounts(BaseModel):
    """What a server counted of one answer."""

    prompt_tokens: NonNegativeInt
    completion_tokens: NonNegativeInt = 0


class Completion(BaseModel):
    """A server's answer, as far as it is read."""

    choices: Annotated[list[_Choice], Field(min_length=1)]
    model: str | None = None
    """What the server says answered."""
    usage: TokenCounts | None = None

    @classmethod
    def from_body(cls, content: bytes) -> Self:
        """Read the body of an answer.

        Raises:
            ValueError: it is no chat completion; the message is one line and says why.
        """
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{where}: {first['msg']}" if where else first["msg"]) from None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self | None:
        """Read back what `to_json` gave; None for anything else."""
        try:
            return cls.model_validate(value)
        except ValidationError:
            return None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return self.model_dump(mode="json")

    @property
    def text(self) -> str:
        """What was written; empty where the model wrote nothing or refused."""
        return self.choices[0].message.content or ""

    @property
    def tokens(self) -> tuple[TokenChoice, ...]:
        """The tokens of the text with their alternatives; empty where the server gave none."""
        log_probs = self.choices[0].logprobs
        return tuple(
            TokenChoice(token.token, tuple((each.token, each.logprob) for each in token.top_logprobs or ()))
            for token in (log_probs.content if log_probs else None) or ()
        )

    @property
    def has_log_probs(self) -> bool:
        """Whether alternatives came with the text, if there is one."""
        return not self.text or any(token.alternatives for token in self.tokens)


class _ErrorMessage(BaseModel):
    message: str


class _Error(BaseModel):
    error: _ErrorMessage | str


def read_error(content: bytes) -> str:
    """What the body of an error says, as one short line."""
    try:
        error = _Error.model_validate_json(content).error
        text = error if isinstance(error, str) else error.message
    except ValidationError:  # no error object; its text is all there is
        text = content.decode(errors="replace")
    return " ".join(text.split())[:SHOWN]


def retry_after(value: str) -> float:
    """Seconds that a `Retry-After` asks for, given as such or as a date (RFC 9110, 10.2.3); 0 for neither."""
    try:
        seconds = float(value)
    except ValueError:
        pass
    else:
        return max(0.0, seconds) if seconds < float("inf") else 0.0
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
