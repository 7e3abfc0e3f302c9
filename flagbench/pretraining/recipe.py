"""The recipe's numbers: shape, stages and rates of the embedded backbone, in the full and the short form."""

from flagbench.settings import Settings


class Stage(Settings):
    """A part of the training with rows of one length."""

    length: int
    """Tokens a row."""
    tokens: int
    """Tokens in all."""


class Recipe(Settings):
    """Everything that determines the backbone, together with the files of facts."""

    seed: int = 0
    width: int = 128
    layers: int = 5
    feed_forward: int = 384
    heads: int = 4
    key_value_heads: int = 2
    vocabulary: int = 2048
    context: int = 1024
    tokenizer_texts: int = 20_000
    stages: tuple[Stage, ...]
    batch_tokens: int = 4096
    learning_rate: float = 1e-2
    """Peak of AdamW, for embeddings and norms."""
    matrix_rate: float = 0.025
    """Peak of Muon, for the layers' matrices."""
    warm_up: float = 0.02
    """Share of all tokens over which the rates rise."""
    weight_decay: float = 0.01
    largest_gradient: float = 1.0
    initializer_range: float = 0.02


FULL = Recipe(
    stages=(
        Stage(length=128, tokens=10_000_000),
        Stage(length=512, tokens=2_000_000),
        Stage(length=1024, tokens=400_000),
    )
)
"""What is in the wheel."""

SHORT = Recipe(
    stages=(
        Stage(length=128, tokens=700_000),
        Stage(length=512, tokens=160_000),
        Stage(length=1024, tokens=48_000),
    ),
    batch_tokens=2048,
)
"""The same in two minutes, for tests: far less is known."""
