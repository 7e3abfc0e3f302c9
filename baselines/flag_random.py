"""FLAG on a language model that has read nothing: the embedded model's shape with random weights.

Source: this project. It tells what pretraining adds: network, tokenizer, trained layers and trainer are
FLAG's, and only the weights begin as noise, drawn anew for every seed. Departure from FLAG: the backbone
alone.

Importing this module loads no torch; building the agent does not either.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from flagbench.agents.backbone_name import EMBEDDED, RANDOM, has_random_weights
from flagbench.errors import ConfigError
from flagbench.flag.agent import FlagAgent
from flagbench.learning.ppo_params import Preset
from flagbench.trading.accounts import HISTORY_LENGTH


class FlagRandom(FlagAgent):
    """FLAG with an untrained backbone.

    Args:
        backbone: `random:` before `embedded`, a folder or a hub id, whose shape and tokenizer it has; or
            `random`.
        preset: hyper-parameters to begin with; the protocol's own unless given.
        ppo: changes to the preset, `--set ppo.learning_rate=1e-4`.
        prompt: as FLAG's.
        adapt: which weights are trained, as FLAG's.
        trainable_layers: of `adapt=top_layers`; None for a fifth of the backbone's, at least one.
        lora_rank: of `adapt=lora`.
        head_width: hidden units of the policy head and of the value head.
        max_prompt_tokens: None for the backbone's whole context.
        text_share: the largest part of the context that text may take.
        history: past rewards, values and actions in the prompt, as FLAG's.
        checkpoint_rule: which weights are kept, as FLAG's.

    Raises:
        ConfigError: a backbone whose weights are not random.
    """

    def __init__(
        self,
        *,
        backbone: str = f"{RANDOM}:{EMBEDDED}",
        preset: Preset = "standard",
        ppo: dict[str, Any] | None = None,
        prompt: Literal["paper", "news"] = "paper",
        adapt: Literal["top_layers", "lora", "full", "heads"] = "top_layers",
        trainable_layers: Annotated[int, Field(gt=0)] | None = None,
        lora_rank: Annotated[int, Field(gt=0)] = 8,
        head_width: Annotated[int, Field(gt=0)] = 64,
        max_prompt_tokens: Annotated[int, Field(gt=0)] | None = None,
        text_share: Annotated[float, Field(ge=0, le=1)] = 0.5,
        history: Annotated[int, Field(ge=0, le=HISTORY_LENGTH)] = HISTORY_LENGTH,
        checkpoint_rule: Literal["last", "best_train_return"] = "last",
    ) -> None:
        if not has_random_weights(backbone):
            raise ConfigError(
                f"flag-random was given the backbone `{backbone}`, which is not random",
                hint=f"--backbone random:{backbone}, or --agent flag",
            )
        super().__init__(
            backbone=backbone,
            preset=preset,
            ppo=ppo,
            prompt=prompt,
            adapt=adapt,
            trainable_layers=trainable_layers,
            lora_rank=lora_rank,
            head_width=head_width,
            max_prompt_tokens=max_prompt_tokens,
            text_share=text_share,
            history=history,
            checkpoint_rule=checkpoint_rule,
        )
