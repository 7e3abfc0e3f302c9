"""FLAG with its language model left as it was: only the two heads learn.

Source: this project, after the linear probe (Alain and Bengio, 2016). It tells what training the upper layers
adds to reading the frozen model, and it forgets nothing, so its knowledge before and after is the noise floor
of every retention figure. Departure from FLAG: no weight of the backbone is trained.

Importing this module loads no torch; building the agent does not either.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from flagbench.agents.backbone_name import EMBEDDED
from flagbench.flag.agent import FlagAgent
from flagbench.learning.ppo_params import Preset
from flagbench.trading.accounts import HISTORY_LENGTH


class FlagFrozen(FlagAgent):
    """FLAG whose policy head and value head alone are trained.

    Args:
        backbone: as FLAG's.
        preset: hyper-parameters to begin with; the protocol's own unless given.
        ppo: changes to the preset, `--set ppo.learning_rate=1e-4`.
        prompt: as FLAG's.
        head_width: hidden units of the policy head and of the value head.
        max_prompt_tokens: None for the backbone's whole context.
        text_share: the largest part of the context that text may take.
        history: past rewards, values and actions in the prompt, as FLAG's.
        checkpoint_rule: which weights are kept, as FLAG's.
    """

    def __init__(
        self,
        *,
        backbone: str = EMBEDDED,
        preset: Preset = "standard",
        ppo: dict[str, Any] | None = None,
        prompt: Literal["paper", "news"] = "paper",
        head_width: Annotated[int, Field(gt=0)] = 64,
        max_prompt_tokens: Annotated[int, Field(gt=0)] | None = None,
        text_share: Annotated[float, Field(ge=0, le=1)] = 0.5,
        history: Annotated[int, Field(ge=0, le=HISTORY_LENGTH)] = HISTORY_LENGTH,
        checkpoint_rule: Literal["last", "best_train_return"] = "last",
    ) -> None:
        super().__init__(
            backbone=backbone,
            preset=preset,
            ppo=ppo,
            prompt=prompt,
            adapt="heads",
            head_width=head_width,
            max_prompt_tokens=max_prompt_tokens,
            text_share=text_share,
            history=history,
            checkpoint_rule=checkpoint_rule,
        )
