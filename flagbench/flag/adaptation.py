"""Which weights of the backbone are trained: the top layers, adapters in every layer, all layers, or none.

Embeddings and language-model head stay as they were in every case, so that the language model can be read
through them after training.
"""

from typing import Literal

from transformers import PreTrainedModel

from flagbench.learning.plain_backbone import PlainBackbone
from flagbench.learning.split import NotSplittableError, SplitBackbone

Adapt = Literal["top_layers", "lora", "full", "heads"]
Forward = Literal["split", "plain"]

LORA_RANK = 8
"""Not in the paper; peft's default."""


def adapted(
    model: PreTrainedModel,
    adapt: Adapt,
    *,
    trainable_layers: int | None,
    lora_rank: int = LORA_RANK,
    forward: Forward = "split",
) -> SplitBackbone | PlainBackbone:
    """Split a backbone so that all that is trained lies in its upper half, and freeze the rest.

    A model whose halves do not give what the whole gives is run whole; the record says so.

    Args:
        model: the backbone; changed in place.
        adapt: `top_layers` trains the last layers and the final norm (the paper's method), `lora` low-rank
            adapters in every layer (Hu et al., 2022, through peft), `full` every layer and the final norm,
            `heads` nothing of the backbone.
        trainable_layers: of `top_layers`; None for a fifth of the layers, at least one (not stated; 6 of
            SmolLM2-135M's 30).
        lora_rank: of `lora`.
        forward: `plain` runs the whole model for every prompt, which costs more and gives the same.

    Raises:
        ConfigError: more layers than the model has, or layers that are not found.
    """
    layers = int(model.config.num_hidden_layers)
    upper = layers
    if adapt == "top_layers":
        upper = trainable_layers if trainable_layers is not None else max(1, round(layers / 5))
    elif adapt == "heads":
        upper = 1  # the last layer is run for the last token only; it is frozen too
    for weight in model.parameters():
        weight.requires_grad_(False)
    if adapt == "lora":
        from peft import LoraConfig, inject_adapter_in_model

        config = LoraConfig(
            r=lora_rank, lora_alpha=2 * lora_rank, lora_dropout=0.0, target_modules="all-linear"
        )
        inject_adapter_in_model(config, model)
        model.eval()
        return _backbone(model, upper, forward)
    backbone = _backbone(model, upper, forward)
    if adapt == "heads":
        return backbone
    for module in (backbone.upper_layers, backbone.tail):
        for weight in module.parameters():
            weight.requires_grad_(True)
    return backbone


def _backbone(model: PreTrainedModel, trained_layers: int, forward: Forward) -> SplitBackbone | PlainBackbone:
    if forward == "split":
        try:
            return SplitBackbone(model, trained_layers=trained_layers)
        except NotSplittableError:
            pass
    return PlainBackbone(model, trained_layers=trained_layers)
