"""How a model is fine-tuned."""

from __future__ import annotations

from kit.spec.manifest.base import Number, Part
from kit.spec.manifest.parts import Source


class Lora(Part, frozen=True, kw_only=True):
    """Low-rank adaptation (Hu et al. 2021)."""

    rank: int
    alpha: int
    dropout: Number
    target_modules: str | tuple[str, ...]
    """`all-linear`, or module names."""
    use_rslora: bool


class Quantization(Part, frozen=True, kw_only=True):
    """How frozen weights are kept while an adapter is trained (QLoRA, Dettmers et al. 2023)."""

    kind: str
    """`nf4`."""
    double: bool
    """Whether the quantization's own constants are quantized too."""


class Training(Part, frozen=True, kw_only=True):
    """Every hyperparameter that the trainer would otherwise default."""

    epochs: int | None
    """Passes over the data; exactly one of `epochs` and `max_steps` is set."""
    max_steps: int | None
    learning_rate: Number
    scheduler: str
    warmup_steps: int
    batch_size: int
    """Rows per device and step."""
    gradient_accumulation_steps: int
    optimizer: str
    adam_beta1: Number
    adam_beta2: Number
    adam_epsilon: Number
    weight_decay: Number
    max_grad_norm: Number
    max_length: int
    """Tokens; what becomes of longer rows, `long_rows` says."""
    packing: bool
    shuffle: bool
    """Whether the rows are shuffled, with `data_seed` or else the training seed."""
    loss_on: str
    """`assistant` (the answer only) or `all`."""
    dtype: str
    """`float32`, `bfloat16` or `float16`: in which the trainer computes."""
    gradient_checkpointing: bool
    system_prompt: str | None
    data_seed: int | None = None
    long_rows: str | None = None
    """`cut`, which None is, or `drop`."""
    processes: int | None = None
    """That share each step, one for each accelerator; None is one."""
    quantization: Quantization | None = None
    """Of the frozen weights, with `lora`."""

    @property
    def effective_batch_size(self) -> int:
        """The effective batch: rows between two steps of the optimizer."""
        return self.batch_size * self.gradient_accumulation_steps * (self.processes or 1)


class Finetune(Part, frozen=True, kw_only=True):
    """How the tuned arm comes to be."""

    method: str
    """`lora`, `full`, or `adapter` for one that exists."""
    serving: str
    """`merged` (in fp32, cast once, plain weights) or `adapter` (through the engine's LoRA path)."""
    tokenizer: str | None = None
    """`base` or `adapter`: whose tokenizer the tuned arm is asked with; None where nobody has said, is the base's."""
    data: str | None = None
    training: Training | None = None
    lora: Lora | None = None
    adapter: Source | None = None

    @property
    def own_tokenizer(self) -> Source | None:
        """Where the tuned arm's tokenizer is, if it is not the base's."""
        return self.adapter if self.tokenizer == "adapter" else None
