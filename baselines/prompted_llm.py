"""A language model that is asked what to do, and never trained: what is there before any learning?

Source: this project; the prompt is FLAG's (flagbench/agents/prompt.py), so the two see the same. The model is
one of transformers on this machine, or any that an OpenAI-compatible server answers for. It answers by the
log-probability of the three words, over the valid actions only, or by generated JSON, read strictly. Both
are greedy. Departures from a user's chat: nothing is sampled, and no state is kept from bar to bar.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from pydantic import Field

from flagbench.agents.agent import Briefing
from flagbench.agents.backbone_name import EMBEDDED, has_random_weights
from flagbench.agents.usage import Prices, Usage
from flagbench.errors import AgentError, ConfigError
from flagbench.trading.accounts import HISTORY_LENGTH
from flagbench.trading.observation import Observation

if TYPE_CHECKING:
    from flagbench.agents.prompt import PromptWriter
    from flagbench.learning.backbone import Backbone

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0, allow_inf_nan=False)]

API_KEY_VARIABLE = "FLAGBENCH_API_KEY"

SERVED_CONTEXT = 8192
"""Tokens. A server does not tell its context; this is what SmolLM2 and Llama 3 have."""

OUTSIDE = frozenset({"tries", "pause", "timeout", "cache", "api_key_variable", "price_in", "price_out"})
"""Params that change how an answer is got and what it costs, and not what it is."""


class Asked(Protocol):
    """A model in reach of the agent."""

    writer: "PromptWriter"

    def answer(self, observation: Observation, seed: int) -> int:
        """An action, or `UNPARSED`."""


class PromptedLLM:
    """Ask for every bar, and do what is answered.

    Args:
        backbone: a local model: `embedded`, a folder, a hub id, `random`, or `random:<one of these>`.
        endpoint: base address of an OpenAI-compatible server, such as http://127.0.0.1:8000/v1, in place of a
            local model.
        model: as the server names it.
        by: `logprob` takes the likeliest valid action, `json` what the model writes.
        shots: worked examples in the prompt, made up; see flagbench/agents/examples.py.
        prompt: `news` adds the day's text; the default where the training window has news, else `paper`.
        max_prompt_tokens: None for a local model's whole context, or 8,192 of a server's, counted as four
            bytes each.
        text_share: the largest part of it that text may take; as of `flag`, not stated in the paper, half.
        history: past rewards, values and actions in the prompt, as of `flag`.
        max_answer_tokens: of a generated answer. The JSON asked for has about ten; a fence fits too.
        tries: of one question to a server. Not stated; with `pause` they last half a minute at most.
        pause: seconds before the second try at most, doubled for each further one, with full jitter. Not
            stated; as `curl --retry` begins.
        timeout: seconds for one try. Not stated; a minute is long for ten tokens.
        cache: where a server's answers are kept: `user` for the user's cache folder, `none`, or a folder.
        api_key_variable: the environment variable that holds the server's key. The key is not recorded.
        price_in: of a million prompt tokens, in any currency; with `price_out` the record holds the cost.
        price_out: of a million completion tokens.
    """

    def __init__(
        self,
        *,
        backbone: str = EMBEDDED,
        endpoint: str | None = None,
        model: str | None = None,
        by: Literal["logprob", "json"] = "logprob",
        shots: Annotated[int, Field(ge=0, le=4)] = 0,
        prompt: Literal["paper", "news"] = "paper",
        max_prompt_tokens: Annotated[int, Field(gt=0)] | None = None,
        text_share: Annotated[float, Field(ge=0, le=1)] = 0.5,
        history: Annotated[int, Field(ge=0, le=HISTORY_LENGTH)] = HISTORY_LENGTH,
        max_answer_tokens: Annotated[int, Field(gt=0)] = 32,
        tries: Annotated[int, Field(gt=0)] = 6,
        pause: Positive = 1.0,
        timeout: Positive = 60.0,
        cache: str = "user",
        api_key_variable: str = API_KEY_VARIABLE,
        price_in: Price | None = None,
        price_out: Price | None = None,
    ) -> None:
        given = {name: value for name, value in locals().items() if name != "self"}
        _check_model(given)
        self._params: dict[str, Any] = given
        self._seed = 0
        self._asked: Asked | None = None
        self._usage = Usage()

    @classmethod
    def defaults(cls, briefing: Briefing) -> Mapping[str, Any]:
        """Text in the prompt where the training window has news, as for FLAG."""
        return {"prompt": "news" if "news" in briefing.train_text_kinds else "paper"}

    @property
    def params(self) -> Mapping[str, Any]:
        """All that an answer may depend on: two runs that differ in nothing else are one trial."""
        return {name: value for name, value in self._params.items() if name not in OUTSIDE}

    @property
    def usage(self) -> Mapping[str, Any]:
        """Answers, tokens and cost of both windows, and what was left out of prompts."""
        prices = Prices(price_in=self._params["price_in"], price_out=self._params["price_out"])
        counts = {} if self._asked is None else self._asked.writer.counts.to_json()
        counts.pop("tokens", None)  # without examples, and of a server's prompts they are bytes
        return {**self._usage.to_json(prices), **prices._asdict(), "prompts": counts}

    def reset(self, seed: int) -> None:
        """Random weights come from it, and a server is given it; nothing else is left to chance."""
        if seed != self._seed and has_random_weights(self._params["backbone"]):
            self._asked = None
        self._seed = seed

    def act(self, observation: Observation) -> int:
        """What the model answers.

        Raises:
            FlagbenchError: the model cannot be loaded, or the server does not answer.
        """
        return self._reached().answer(observation, self._seed)

    @property
    def is_served(self) -> bool:
        """Whether the model stands behind a server, where it cannot be asked what it knows."""
        return self._params["endpoint"] is not None

    def language_model(self) -> tuple[Any, Any]:
        """The local model, which nobody trains, and its tokenizer.

        Raises:
            AgentError: the model is a server's.
        """
        asked = self._reached()
        if not isinstance(asked, LocalModel):
            raise AgentError(f"`{self._params['model']}` stands behind a server, and is not at hand")
        return asked.backbone.model, asked.backbone.tokenizer

    def _reached(self) -> Asked:
        if self._asked is None:
            self._asked = (
                ServedModel(self._params, self._usage)
                if self.is_served
                else LocalModel(self._params, self._seed, self._usage)
            )
        return self._asked


class LocalModel:
    """A model of transformers on this machine, on a GPU where there is one."""

    def __init__(self, params: Mapping[str, Any], seed: int, usage: Usage) -> None:
        import torch

        from flagbench.agents.examples import examples_text
        from flagbench.agents.prompt import PromptWriter
        from flagbench.learning.backbone import load_backbone

        self.backbone: Backbone = load_backbone(params["backbone"], seed=seed)
        if torch.cuda.is_available():
            model: Any = self.backbone.model
            model.to("cuda")
        self._params, self._usage = params, usage
        usage.models.add(f"sha256:{self.backbone.sha256}")
        self._words = _word_tokens(self.backbone.tokenizer)
        self._examples = self._tokens(examples_text(params["shots"]))
        longest = max(len(tokens) for tokens in self._words.values())
        answer = params["max_answer_tokens"] if params["by"] == "json" else longest
        room = self.backbone.max_tokens - answer
        self.writer = PromptWriter(
            self.backbone.tokenizer,
            variant=params["prompt"],
            max_tokens=min(room, params["max_prompt_tokens"] or room) - len(self._examples),
            text_share=params["text_share"],
            history=params["history"],
        )

    def prompt(self, observation: Observation) -> list[int]:
        """FLAG's prompt, with the examples behind its static part."""
        written = self.writer.write(observation)
        return [*written.tokens[: written.static], *self._examples, *written.tokens[written.static :]]

    def answer(self, observation: Observation, seed: int) -> int:  # noqa: ARG002
        """The likeliest valid action, or what the model writes."""
        prompt = self.prompt(observation)
        return self._written(prompt) if self._params["by"] == "json" else self._likeliest(prompt, observation)

    def _likeliest(self, prompt: list[int], observation: Observation) -> int:
        from flagbench.agents.answer import best_valid
        from flagbench.learning.continuations import continuation_log_probs

        mask = observation["mask"].tolist()
        valid = [action for action in self._words if mask[action]]
        tokens = [self._words[action] for action in valid]
        log_probs = continuation_log_probs(self.backbone.model, prompt, tokens)
        self._usage.asked.add(len(prompt), 0)
        return best_valid(dict(zip(valid, log_probs, strict=True)), mask)

    def _written(self, prompt: list[int]) -> int:
        from flagbench.agents.answer import OPENING, is_finished, read_answer
        from flagbench.learning.continuations import end_tokens, greedy_continuation

        model, tokenizer = self.backbone.model, self.backbone.tokenizer

        def text(tokens: list[int]) -> str:
            return OPENING + str(tokenizer.decode(tokens, skip_special_tokens=False))

        tokens = greedy_continuation(
            model,
            prompt,
            max_tokens=self._params["max_answer_tokens"],
            ends=end_tokens(model, tokenizer),
            is_finished=lambda written: is_finished(text(written)),
        )
        self._usage.asked.add(len(prompt), len(tokens))
        return read_answer(text(tokens))

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.backbone.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


class ServedModel:
    """A model behind a server, given the same prompt as text."""

    def __init__(self, params: Mapping[str, Any], usage: Usage) -> None:
        from flagbench.agents.answer_cache import open_cache
        from flagbench.agents.byte_prompt import BYTES_PER_TOKEN, ByteTokenizer
        from flagbench.agents.completion_client import CompletionClient, Retries
        from flagbench.agents.examples import examples_text
        from flagbench.agents.prompt import PromptWriter

        self._params = params
        self._examples = list(examples_text(params["shots"]).encode())
        variable = params["api_key_variable"]
        self._client = CompletionClient(
            params["endpoint"],
            params["model"],
            retries=Retries(params["tries"], params["pause"], params["timeout"]),
            api_key=os.environ.get(variable) or None,
            api_key_variable=variable,
            cache=open_cache(params["cache"]),
            usage=usage,
        )
        limit = BYTES_PER_TOKEN * (params["max_prompt_tokens"] or SERVED_CONTEXT)
        self.writer = PromptWriter(
            ByteTokenizer(),
            variant=params["prompt"],
            max_tokens=limit - len(self._examples),
            text_share=params["text_share"],
            history=params["history"],
        )

    def text(self, observation: Observation) -> str:
        """FLAG's prompt, with the examples behind its static part, up to where the model begins to answer."""
        from flagbench.agents.byte_prompt import prompt_text

        written = self.writer.write(observation)
        head, state = written.tokens[: written.static], written.tokens[written.static :]
        return prompt_text([*head, *self._examples, *state])

    def answer(self, observation: Observation, seed: int) -> int:
        """The likeliest valid action, or what the model writes."""
        from flagbench.agents.answer import best_valid, read_answer, word_log_probs
        from flagbench.agents.chat_completion import Question

        by_log_prob = self._params["by"] == "logprob"
        question = Question(self.text(observation), seed, self._params["max_answer_tokens"], by_log_prob)
        answer = self._client.ask(question)
        if by_log_prob:
            return best_valid(word_log_probs(answer.tokens), observation["mask"].tolist())
        return read_answer(answer.text)


def _check_model(params: Mapping[str, Any]) -> None:
    """Either a local model or a server's."""
    endpoint, model = params["endpoint"], params["model"]
    if endpoint is None and model is not None:
        raise ConfigError(
            f"`model={model}` names a server's model, and there is no endpoint",
            hint="add --set endpoint=http://…/v1, or name a local model with --backbone",
        )
    if endpoint is None:
        return
    from flagbench.agents.completion_client import check_endpoint

    check_endpoint(endpoint)
    if not model:
        raise ConfigError("an endpoint needs a model", hint="add --set model=NAME, as the server names it")
    if params["backbone"] != EMBEDDED:
        raise ConfigError(
            f"backbone `{params['backbone']}` and an endpoint were given", hint="leave out one of the two"
        )
    variable = params["api_key_variable"]
    if variable != API_KEY_VARIABLE and not os.environ.get(variable):
        raise ConfigError(f"the environment variable {variable} holds no key", hint=f"export {variable}=…")


def _word_tokens(tokenizer: Any) -> dict[Any, list[int]]:
    """The tokens of each action's word behind the answer's opening."""
    from flagbench.agents.answer import OPENING, WORDS

    def tokens(text: str) -> list[int]:
        ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    opening, words = tokens(OPENING), {}
    for action, word in WORDS.items():
        whole = tokens(OPENING + word)
        # Where a token reaches over the boundary, the word stands by itself, as a prompt's parts do.
        words[action] = whole[len(opening) :] if whole[: len(opening)] == opening else tokens(word)
    return words
