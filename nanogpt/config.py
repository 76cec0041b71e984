"""What a model is and how it is trained, as two frozen dataclasses and presets by name.

Nothing here imports torch: a configuration can be read, checked, counted and kept as JSON
before anything heavy is loaded.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Literal

MAX_VOCAB = 2**16  # token ids are kept on disk as uint16


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a GPT. The defaults are the course's 30M model.

    Raises ValueError, naming the field, where the numbers don't fit one another.
    """

    n_layer: int = 6
    """L, the number of blocks."""
    n_head: int = 6
    """H, the attention heads of a block; n_embd must be a multiple of it."""
    n_embd: int = 384
    """C, the width of the residual stream."""
    context_length: int = 512
    """T, the most tokens that the model reads at once."""
    vocab_size: int = 50_304
    """V, the rows of the token embedding: the tokenizer's vocabulary, rounded up to a multiple of 64."""
    bias: bool = False
    """Biases in the linear layers and layer norms; GPT-2 has them."""
    dropout: float = 0.0
    """The share of activations dropped in training."""

    def __post_init__(self):
        _require_positive(self, "n_layer", "n_head", "n_embd", "context_length", "vocab_size")
        if self.n_embd % self.n_head:
            raise ValueError(
                f"n_embd={self.n_embd} does not divide into n_head={self.n_head} heads; "
                f"choose a multiple of {self.n_head}"
            )
        if self.vocab_size > MAX_VOCAB:
            raise ValueError(
                f"vocab_size={self.vocab_size} does not fit the 16 bits a token id has on disk; "
                f"choose at most {MAX_VOCAB}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout={self.dropout} is not a share; choose from 0 up to, but not including, 1")

    @property
    def head_dim(self) -> int:
        """D, the width of one attention head: C / H."""
        return self.n_embd // self.n_head

    def parameter_count(self, positions: bool = True) -> int:
        """Count the trainable numbers; the tied head is counted once.

        With `positions=False` the position table is left out, which is how nanoGPT counts.
        """
        C = self.n_embd
        matrices = 4 * C * C + 8 * C * C  # attention: Q, K, V and output; MLP: up and down
        biases = (4 * C + 5 * C + 2 * C) if self.bias else 0  # attention, MLP, two norms
        norms = 2 * C
        final_norm = 2 * C if self.bias else C
        block = matrices + biases + norms
        position_table = self.context_length * C if positions else 0
        return self.vocab_size * C + position_table + self.n_layer * block + final_norm


@dataclass(frozen=True)
class TrainConfig:
    """How a model is trained. The defaults are the course's 30M run: 20,000 steps of 32,768 tokens.

    Raises ValueError, naming the field, for a number that can't be meant.
    """

    n_steps: int = 20_000
    """Optimiser updates in all."""
    tokens_per_step: int = 32_768
    """Tokens behind one update, over all micro-steps and processes."""
    micro_batch_size: int = 16
    """Sequences in one forward and backward; smaller needs less memory and gives the same update."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """AdamW for everything, or Muon for the blocks' matrices and AdamW for the rest."""
    learning_rate: float = 1e-3
    """The peak, reached at the end of the warm-up."""
    final_learning_rate: float = 1e-4
    """Where the cosine ends: a tenth of the peak."""
    warmup_steps: int = 400
    """Steps of linear rise."""
    beta1: float = 0.9
    """AdamW: how slowly the mean of the gradients moves."""
    beta2: float = 0.95
    """AdamW: how slowly the mean of their squares moves."""
    weight_decay: float = 0.1
    """Pull towards zero, on matrices alone."""
    grad_clip: float = 1.0
    """The largest gradient norm that is let through."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """What matrices are multiplied in; auto measures which is faster here."""
    compile: bool = False
    """Compile the model with torch.compile, where a compiler is at hand."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """Under torchrun: copies of the model (ddp) or shards of it (fsdp)."""
    eval_every: int = 500
    """Steps between looks at held-out loss."""
    eval_tokens: int = 262_144
    """Held-out tokens in such a look; the final figure uses them all."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    seed: int = 1337
    """Fixes the initial weights, the order of the data and dropout."""
    device: str = "auto"
    """auto, cpu, cuda or mps."""

    def __post_init__(self):
        _require_positive(
            self, "n_steps", "tokens_per_step", "micro_batch_size", "learning_rate", "grad_clip",
            "eval_every", "eval_tokens", "checkpoint_every",
        )  # fmt: skip
        if not 0 <= self.final_learning_rate <= self.learning_rate:
            raise ValueError(
                f"final_learning_rate={self.final_learning_rate} is not between 0 and "
                f"learning_rate={self.learning_rate}; a tenth of the peak is usual"
            )
        if not 0 <= self.warmup_steps <= self.n_steps:
            raise ValueError(
                f"warmup_steps={self.warmup_steps} is not between 0 and n_steps={self.n_steps}; "
                "a few per cent of the steps is usual"
            )
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(
                    f"{name}={getattr(self, name)} is not a decay rate; choose from 0 up to, but not including, 1"
                )
        if not self.weight_decay >= 0:
            raise ValueError(f"weight_decay={self.weight_decay} is negative; choose 0 or more")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed={self.seed} is out of range; choose from 0 to 2**63 - 1")


@dataclass(frozen=True)
class RunConfig:
    """One training run: the model's shape and its training. Kept as `config.json` in the run folder."""

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def to_json(self) -> str:
        """The configuration as JSON text; `from_json` reads it back equal."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "RunConfig":
        """Read what `to_json` wrote; ValueError names what is missing, unknown or of another type."""
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(f"the configuration is not JSON ({error}); restore the file or start a new run") from None
        if not isinstance(values, dict) or set(values) != {"model", "train"}:
            raise ValueError("the configuration needs the two parts 'model' and 'train' and no others")
        return cls(_read(ModelConfig, values["model"]), _read(TrainConfig, values["train"]))


def _read(cls, values: dict):
    """Build the flat dataclass `cls` from a dict, holding each value to its field's type."""
    if not isinstance(values, dict):
        raise ValueError(f"{cls.__name__} should be an object of fields, got {values!r}")
    fields = {f.name: f for f in dataclasses.fields(cls)}
    if set(values) != set(fields):
        odd = sorted(set(values) ^ set(fields))
        raise ValueError(f"{cls.__name__} has missing or unknown fields: {', '.join(odd)}")
    for name, value in values.items():
        default = fields[name].default
        fits = type(value) is type(default) or (type(default) is float and type(value) is int)
        if not fits:
            raise ValueError(f"{name}={value!r} should be of type {type(default).__name__}, like {default!r}")
    return cls(**values)


def _require_positive(config, *names: str) -> None:
    for name in names:
        if not getattr(config, name) > 0:
            raise ValueError(f"{name}={getattr(config, name)} is not positive; choose a number above 0")


_SMOKE = RunConfig(
    ModelConfig(n_layer=2, n_head=2, n_embd=32, context_length=64, vocab_size=512),
    TrainConfig(
        n_steps=40, tokens_per_step=1024, micro_batch_size=16, learning_rate=1e-2,
        final_learning_rate=1e-3, warmup_steps=4, precision="float32",
        eval_every=20, eval_tokens=4096, checkpoint_every=20,
    ),
)  # fmt: skip

_LAPTOP = RunConfig(
    ModelConfig(n_layer=4, n_head=4, n_embd=128, context_length=128, vocab_size=768),
    TrainConfig(
        n_steps=2000, tokens_per_step=1024, micro_batch_size=8, optimizer="muon", learning_rate=8e-3,
        final_learning_rate=4e-4, warmup_steps=50, beta2=0.99,
        eval_every=250, eval_tokens=16_384, checkpoint_every=500,
    ),
)  # fmt: skip


def _gpt2(n_layer: int, n_head: int, n_embd: int) -> RunConfig:
    """GPT-2's own shapes (Radford et al., 2019), with nanoGPT's batch of about half a million tokens."""
    return RunConfig(
        ModelConfig(n_layer, n_head, n_embd, context_length=1024, vocab_size=50_304, bias=True),
        TrainConfig(
            n_steps=600_000, tokens_per_step=491_520, micro_batch_size=12, learning_rate=6e-4,
            final_learning_rate=6e-5, warmup_steps=2000, compile=True, eval_every=1000, checkpoint_every=1000,
        ),
    )  # fmt: skip


PRESETS: dict[str, RunConfig] = {
    "smoke": _SMOKE,
    "laptop": _LAPTOP,
    "gpt-30m": RunConfig(),
    "gpt2": _gpt2(12, 12, 768),
    "gpt2-medium": _gpt2(24, 16, 1024),
    "gpt2-large": _gpt2(36, 20, 1280),
    "gpt2-xl": _gpt2(48, 25, 1600),
}
