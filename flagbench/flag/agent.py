"""FLAG-Trader (arXiv 2502.11433): a small language model whose upper layers PPO trains as a trading policy.

The account of the method, of what the paper leaves open and of what is decided here is docs/method.md.
Importing this module loads no torch; building the agent does not either.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import Field

from flagbench.agents.agent import Briefing
from flagbench.agents.backbone_name import EMBEDDED
from flagbench.agents.training import MakeEnvs, Setup, TrainingMonitor
from flagbench.errors import AgentError, RecordError
from flagbench.learning.ppo_params import Preset, ppo_params
from flagbench.trading.accounts import HISTORY_LENGTH
from flagbench.trading.observation import Observation

if TYPE_CHECKING:
    from accelerate import Accelerator
    from torch import Tensor

    from flagbench.agents.prompt import PromptWriter
    from flagbench.flag.network import FlagNet
    from flagbench.learning.backbone import Backbone
    from flagbench.learning.plain_backbone import PlainBackbone
    from flagbench.learning.split import SplitBackbone


class Parts(NamedTuple):
    """What is loaded once an agent trains or acts."""

    backbone: "Backbone"
    halves: "SplitBackbone | PlainBackbone"
    net: "FlagNet"
    writer: "PromptWriter"


class FlagAgent:
    """The policy: prompt in, one of two valid actions out.

    Args:
        backbone: `embedded`, a folder, a hub id, `random`, or `random:<one of the first three>`.
        preset: hyper-parameters to begin with; the protocol's own unless given.
        ppo: changes to the preset, `--set ppo.learning_rate=1e-4`.
        prompt: `news` adds the day's text; the default where the training window has news, else `paper`.
        adapt: which weights are trained; see `flagbench.flag.adaptation`.
        trainable_layers: of `adapt=top_layers`; None for a fifth of the backbone's, at least one.
        lora_rank: of `adapt=lora`.
        head_width: hidden units of the policy head and of the value head.
        max_prompt_tokens: None for the backbone's whole context.
        text_share: the largest part of the context that text may take. Not stated; half.
        history: past rewards, values and actions in the prompt. Not stated; ten, all that an observation has.
            Fewer make the account shorter, which is all that environments do not share of a bar's prompt.
        forward: `plain` runs the whole backbone for every prompt, which costs more and gives the same; a
            family that cannot be split is always run so.
        checkpoint_rule: which weights are kept, fixed before the test window is opened. Not stated; the
            paper picks by test trajectories, this never does.
    """

    def __init__(
        self,
        *,
        backbone: str = EMBEDDED,
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
        forward: Literal["split", "plain"] = "split",
        checkpoint_rule: Literal["last", "best_train_return"] = "last",
    ) -> None:
        self._ppo = ppo_params(preset, ppo or {})
        self._params: dict[str, Any] = {
            "backbone": backbone,
            "preset": preset,
            "ppo": self._ppo.model_dump(),
            "prompt": prompt,
            "adapt": adapt,
            "trainable_layers": trainable_layers,
            "lora_rank": lora_rank,
            "head_width": head_width,
            "max_prompt_tokens": max_prompt_tokens,
            "text_share": text_share,
            "history": history,
            "forward": forward,
            "checkpoint_rule": checkpoint_rule,
        }
        self._seed = 0
        self._parts: Parts | None = None
        self._untrained: Backbone | None = None

    @classmethod
    def defaults(cls, briefing: Briefing) -> Mapping[str, Any]:
        """The protocol's preset, and text in the prompt where the training window has news."""
        return {
            "preset": briefing.preset,
            "prompt": "news" if "news" in briefing.train_text_kinds else "paper",
        }

    @property
    def params(self) -> Mapping[str, Any]:
        """All params, the hyper-parameters of the preset filled in."""
        return self._params

    def train(
        self,
        make_envs: MakeEnvs,
        *,
        setup: Setup,
        seed: int,
        accelerator: "Accelerator",
        monitor: TrainingMonitor,
    ) -> dict[str, Any]:
        """Train the upper half and both heads with PPO; everything below stays frozen."""
        from flagbench.learning.ppo import PPOTrainer

        self._seed, self._untrained = seed, None
        self._parts = parts = self._build(seed)
        parts.backbone.model.to(accelerator.device)
        parts.net.to(accelerator.device)
        trainer = PPOTrainer(
            self,
            make_envs,
            self._ppo,
            setup=setup,
            seed=seed,
            accelerator=accelerator,
            monitor=monitor,
            checkpoint_rule=self._params["checkpoint_rule"],
        )
        summary = trainer.train()
        upper = parts.halves.upper_layers
        trained = sum(any(weight.requires_grad for weight in layer.parameters()) for layer in upper)
        counts = [weight.numel() for weight in parts.net.parameters() if weight.requires_grad]
        heads = sum(
            w.numel() for module in (parts.net.policy_head, parts.net.value_head) for w in module.parameters()
        )
        return {
            **summary,
            "prompts": parts.writer.counts.to_json(),
            "layers": {
                "frozen": parts.halves.frozen_layers + len(upper) - trained,
                "trained": trained,
                **parts.halves.ways,
            },
            "weights": {
                "backbone": sum(weight.numel() for weight in parts.backbone.model.parameters()),
                "backbone_sha256": parts.backbone.sha256,
                "backbone_revision": parts.backbone.revision,
                "heads": heads,
                "trained": sum(counts),
            },
        }

    def reset(self, seed: int) -> None:
        """Nothing to forget: a prompt is a function of the observation, and actions are greedy."""
        if self._parts is None:
            self._seed = seed  # random weights come from it

    def act(self, observation: Observation) -> int:
        """The most likely valid action.

        Raises:
            AgentError: the agent was neither trained nor loaded.
        """
        import torch

        parts = self._ready()
        with torch.no_grad():
            logits, _ = parts.net(*self.collate(self.features([observation])))
        valid = torch.from_numpy(observation["mask"]).bool()
        return int(logits[0].float().cpu().masked_fill(~valid, -torch.inf).argmax())

    @property
    def net(self) -> "FlagNet":
        """The trained part."""
        return self._ready().net

    def features(self, observations: Sequence[Observation]) -> "list[tuple[Tensor, ...]]":
        """What the trained half needs of each observation's prompt: see `SplitBackbone.features`."""
        parts = self._ready()
        return parts.halves.features([parts.writer.write(observation) for observation in observations])

    def collate(self, features: "Sequence[tuple[Tensor, ...]]") -> "tuple[Any, ...]":
        """Features of B prompts as the network's arguments."""
        return self._ready().halves.collate(features)

    def parts(self, features: "Sequence[tuple[Tensor, ...]]") -> int:
        """Into how many parts prompts are split for their backward pass to fit into memory."""
        from flagbench.learning.activation_memory import parts_within_limit

        model, halves = self._ready().backbone.model, self._ready().halves
        layers = len(halves.upper_layers)
        return parts_within_limit(
            halves.tokens(features), layers=layers, config=model.config, device=model.device
        )

    def language_model(self) -> tuple[Any, Any]:
        """The backbone with its trained layers, behind its own untouched language-model head.

        Before training it is the backbone as it is loaded.
        """
        if self._parts is not None:
            return self._parts.backbone.model, self._parts.backbone.tokenizer
        if self._untrained is None:
            from flagbench.learning.backbone import load_backbone

            self._untrained = load_backbone(self._params["backbone"], seed=self._seed)
        return self._untrained.model, self._untrained.tokenizer

    def save(self, folder: Path) -> None:
        """Write the trained weights as `trained.safetensors` and the params as `agent.json`."""
        from safetensors.torch import save_file

        net = self._ready().net
        trained = {n: w.detach().cpu().contiguous() for n, w in net.named_parameters() if w.requires_grad}
        save_file(trained, folder / "trained.safetensors")
        # The seed too: a random backbone's frozen weights come from it and are not written.
        described = json.dumps({"params": self._params, "seed": self._seed}, indent=2)
        (folder / "agent.json").write_text(described + "\n", encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Read back what `save` wrote, into an agent built with the same params.

        Raises:
            RecordError: the folder's params or weights are not this agent's.
        """
        import torch
        from safetensors.torch import load_file

        try:
            described = json.loads((folder / "agent.json").read_text(encoding="utf-8"))
            saved, seed = described["params"], int(described["seed"])
            trained = load_file(folder / "trained.safetensors")
        except (OSError, json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise RecordError(f"{folder} holds no checkpoint of FLAG: {error}") from error
        if saved != json.loads(json.dumps(self._params)):
            raise RecordError(f"{folder} was written by an agent with other params")
        self._seed = seed
        self._parts = self._build(seed)
        own = {name: weight for name, weight in self.net.named_parameters() if weight.requires_grad}
        if own.keys() != trained.keys() or any(own[name].shape != trained[name].shape for name in own):
            raise RecordError(f"{folder}: the weights do not fit the backbone `{self._params['backbone']}`")
        with torch.no_grad():
            for name, weight in own.items():
                weight.copy_(trained[name])

    def _ready(self) -> Parts:
        if self._parts is None:
            raise AgentError("FLAG was asked to act before it was trained or loaded")
        return self._parts

    def _build(self, seed: int) -> Parts:
        from accelerate.utils import set_seed

        from flagbench.agents.prompt import PromptWriter
        from flagbench.flag.adaptation import adapted
        from flagbench.flag.network import FlagNet
        from flagbench.learning.backbone import load_backbone

        params = self._params
        backbone = load_backbone(params["backbone"], seed=seed)
        set_seed(seed)  # heads and adapters begin alike whatever loading drew
        halves = adapted(
            backbone.model,
            params["adapt"],
            trainable_layers=params["trainable_layers"],
            lora_rank=params["lora_rank"],
            forward=params["forward"],
        )
        limit = min(backbone.max_tokens, params["max_prompt_tokens"] or backbone.max_tokens)
        writer = PromptWriter(
            backbone.tokenizer,
            variant=params["prompt"],
            max_tokens=limit,
            text_share=params["text_share"],
            history=params["history"],
        )
        return Parts(backbone, halves, FlagNet(halves, head_width=params["head_width"]), writer)
