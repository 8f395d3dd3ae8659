"""How a model is fine-tuned, as typed objects; the schema guards the shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kit.spec.manifest.parts import Source, if_said

if TYPE_CHECKING:
    from kit.core.canonical import Json
    from kit.spec.manifest.parts import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Low-rank adaptation (Hu et al. 2021), as PEFT's `LoraConfig` names it."""

    rank: int
    alpha: int
    dropout: float
    target_modules: str | tuple[str, ...]
    """`all-linear`, or module names."""
    use_rslora: bool

    @classmethod
    def from_json(cls, document: Document) -> Lora:
        target = document["target_modules"]
        return cls(
            rank=document["rank"],
            alpha=document["alpha"],
            dropout=document["dropout"],
            target_modules=target if isinstance(target, str) else tuple(target),
            use_rslora=document["use_rslora"],
        )

    def to_json(self) -> dict[str, Json]:
        target: Json = self.target_modules if isinstance(self.target_modules, str) else list(self.target_modules)
        return {
            "rank": self.rank,
            "alpha": self.alpha,
            "dropout": self.dropout,
            "target_modules": target,
            "use_rslora": self.use_rslora,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """How frozen weights are kept while an adapter is trained (QLoRA, Dettmers et al. 2023)."""

    kind: str
    """`nf4`."""
    double: bool
    """Whether the quantization's own constants are quantized too."""

    def to_json(self) -> dict[str, Json]:
        return {"kind": self.kind, "double": self.double}


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Every hyperparameter that the trainer would otherwise default."""

    epochs: int | None
    """Passes over the data; exactly one of `epochs` and `max_steps` is set."""
    max_steps: int | None
    learning_rate: float
    scheduler: str
    warmup_steps: int
    batch_size: int
    """Rows per device and step."""
    gradient_accumulation_steps: int
    optimizer: str
    adam_beta1: float
    adam_beta2: float
    adam_epsilon: float
    weight_decay: float
    max_grad_norm: float
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
    quantization: Quantization | None = None
    """Of the frozen weights, with `lora`."""
    long_rows: str | None = None
    """`cut`, which None is, or `drop`."""
    processes: int | None = None
    """That share each step, one for each accelerator; None is one."""

    @classmethod
    def from_json(cls, document: Document) -> Training:
        chosen = document.get("quantization")
        return cls(**{**document, "quantization": Quantization(**chosen) if chosen else None})

    def to_json(self) -> dict[str, Json]:
        later: dict[str, Json] = {name: getattr(self, name) for name in ("data_seed", "long_rows", "processes")}
        later["quantization"] = self.quantization.to_json() if self.quantization else None
        return {**{name: getattr(self, name) for name in self.__slots__ if name not in later}, **if_said(**later)}

    @property
    def effective_batch_size(self) -> int:
        """The effective batch: rows between two steps of the optimizer."""
        return self.batch_size * self.gradient_accumulation_steps * (self.processes or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetune:
    """How the tuned arm comes to be."""

    method: str
    """`lora`, `full`, or `adapter` for one that exists."""
    data: str | None
    training: Training | None
    lora: Lora | None
    adapter: Source | None
    serving: str
    """`merged` (in fp32, cast once, plain weights) or `adapter` (through the engine's LoRA path)."""
    tokenizer: str | None = None
    """`base` or `adapter`: whose tokenizer the tuned arm is asked with; None where nobody has said, is the base's."""

    @classmethod
    def from_json(cls, document: Document) -> Finetune:
        training, lora, adapter = (document.get(name) for name in ("training", "lora", "adapter"))
        return cls(
            method=document["method"],
            data=document.get("data"),
            training=Training.from_json(training) if training else None,
            lora=Lora.from_json(lora) if lora else None,
            adapter=Source.from_json(adapter) if adapter else None,
            serving=document["serving"],
            tokenizer=document.get("tokenizer"),
        )

    @property
    def own_tokenizer(self) -> Source | None:
        """Where the tuned arm's tokenizer is, if it is not the base's."""
        return self.adapter if self.tokenizer == "adapter" else None

    def to_json(self) -> dict[str, Json]:
        document: dict[str, Json] = {
            "method": self.method,
            "serving": self.serving,
            **if_said(tokenizer=self.tokenizer),
        }
        if self.data is not None:
            document["data"] = self.data
        for name, part in (("training", self.training), ("lora", self.lora), ("adapter", self.adapter)):
            if part is not None:
                document[name] = part.to_json()
        return document
