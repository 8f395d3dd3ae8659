"""How much memory a training step takes on each device: weights, optimizer state, activations, the loss.

Sizes are in bytes, for the code that the locks pin: transformers' decoder layers with fused attention, TRL's loss over
the vocabulary in tiles, PyTorch's AdamW.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.run.preflight.need import Part
from kit.run.preflight.weights import BYTES, adapted_layers, largest_tensor, linear_layers, lora_parameters, parameters
from kit.run.preflight.weights import weights_bytes as loaded_bytes

if TYPE_CHECKING:
    from kit.spec.manifest.finetune import Finetune, Lora, Training
    from kit.spec.weights.shape import Block, Shape

FULL_PRECISION = 4
ADAM_MOMENTS = 2
"""Numbers that AdamW keeps for each that it trains (Rajbhandari et al. 2020, arXiv 1910.02054, section 3.1)."""
DIGESTED_COPIES = 2
"""Of what was trained, in the machine's memory while its digest is taken, after the last step: the tensors, and their
safetensors form (`kit/run/backends/training/trl.py`)."""
TILE_ROWS, TILE_COLUMNS = 4096, 32768
"""Of the piece of the logits that exists at a time: `TOKEN_CHUNK_SIZE` and `_CHUNKED_LOGPROB_CHUNK_SIZE` of TRL 1.16,
`trl/kernels/chunked_logprob.py` and `trl/trainer/utils.py`. The logits never exist as a whole."""
TILES_WITHOUT_TRITON = 8
"""How many such pieces `_backward_tile` there holds at once in fp32; with Triton, on a GPU, it is one."""

_AFTER_ATTENTION = ("o_proj", "out_proj")
_READS_WITH = {"k_proj": "q_proj", "v_proj": "q_proj", "up_proj": "gate_proj"}
"""Linear layers that read what another one does."""


def training_parts(shape: Shape, finetune: Finetune, length: int, *, on_accelerator: bool) -> tuple[Part, ...]:
    """Return what one step of training takes on each device.

    Args:
        shape: the model.
        finetune: with `training`, and `lora` where the method is.
        length: tokens of the longest row.
        on_accelerator: a processor has no Triton and no fused optimizer.
    """
    training, lora = finetune.training, finetune.lora
    assert training is not None
    number = number_bytes(training, lora)
    trained = lora_parameters(shape, lora) if lora else parameters(shape)
    # PEFT keeps an adapter in fp32 beside half-precision weights (`autocast_adapter_dtype`), TRL in bf16 beside
    # quantized ones.
    each = (2 if training.quantization else FULL_PRECISION) if lora else number
    weights = loaded_bytes(shape, {4: "float32", 2: "bfloat16"}[number])
    if training.quantization:
        weights = four_bit_bytes(shape, double=training.quantization.double)
    parts = [Part("weights", weights + (trained * each if lora else 0), is_certain=True)]
    parts.append(Part("optimizer state", ADAM_MOMENTS * trained * each, is_certain=True))
    gradients = trained * each
    if (training.processes or 1) > 1:
        # Buckets that are summed between processes (PyTorch's DistributedDataParallel, without views of gradients).
        parts.append(Part("gradients of the others", gradients, is_certain=True))
    activations = _activations(shape, finetune, length, on_accelerator=on_accelerator)
    if training.gradient_accumulation_steps > 1:
        return (*parts, Part("gradients", gradients, is_certain=True), *activations)
    # Gradients come to be as activations go: what counts is the larger. An optimizer step needs another copy of
    # what it changes: all of it where it works on lists of tensors (PyTorch's `foreach`), else one tensor.
    stepping = gradients + (gradients if on_accelerator else each * min(trained, largest_tensor(shape)))
    if not on_accelerator:
        stepping = max(stepping, DIGESTED_COPIES * trained * each)
    beyond = max(0, stepping - sum(part.size for part in activations))
    return (*parts, *activations, Part("gradients or digest, beyond the activations", beyond))


def four_bit_bytes(shape: Shape, *, double: bool) -> int:
    """Return what frozen weights take in NF4: linear layers in 4 bits and a constant for each 64, all else in fp32.

    A constant has 32 bits, quantized itself 8 and a 256th of 32 (Dettmers et al. 2023, arXiv 2305.14314, section 3).
    `prepare_model_for_kbit_training` keeps embeddings, norms and the output layer in fp32.
    """
    linear = sum(out * into for out, into in linear_layers(shape).values())
    bits = 4 + (8 + 32 / 256 if double else 32) / 64
    return int(linear * bits / 8) + (parameters(shape) - linear) * FULL_PRECISION


def number_bytes(training: Training, lora: Lora | None) -> int:
    """Return the bytes of a weight while training: what fp16 trains directly must stay in fp32, or it underflows."""
    return FULL_PRECISION if training.dtype == "float16" and lora is None else BYTES[training.dtype]


def _activations(shape: Shape, finetune: Finetune, length: int, *, on_accelerator: bool) -> list[Part]:
    training, block = finetune.training, shape.block
    assert training is not None
    if block is None:
        return []
    tokens = training.batch_size * length
    compute, kept = BYTES[training.dtype], number_bytes(training, finetune.lora)
    layer = tokens * layer_bytes(shape, block, finetune) + _scores(block, training, length)
    if training.gradient_checkpointing:
        # Each layer's input is kept, and one layer at a time computed again (Chen et al. 2016, arXiv 1604.06174).
        kept_bytes = block.layers * tokens * block.hidden * kept + layer
    else:
        kept_bytes = block.layers * layer
    tiles = 1 if on_accelerator else TILES_WITHOUT_TRITON
    columns = TILE_COLUMNS if on_accelerator else min(block.vocabulary, TILE_COLUMNS)
    loss = min(tokens, TILE_ROWS) * columns * (compute if tiles == 1 else FULL_PRECISION) * tiles
    # The last hidden states, their gradient in fp32, and where the output layer is trained its gradient in fp32.
    loss += tokens * block.hidden * (compute + FULL_PRECISION)
    loss += 0 if finetune.lora else block.vocabulary * block.hidden * FULL_PRECISION
    return [Part("activations", kept_bytes), Part("loss over the vocabulary", loss)]


def layer_bytes(shape: Shape, block: Block, finetune: Finetune) -> int:
    """Return what one layer keeps of each token for the way back.

    Counted as in Korthikanti et al. 2022 (arXiv 2205.05198, section 4.1), for a layer with RMSNorm, a gated
    feed-forward part and fused attention. A frozen linear layer keeps nothing: its adapter keeps the input.
    """
    training, lora = finetune.training, finetune.lora
    assert training is not None
    number, is_half = BYTES[training.dtype], training.dtype != "float32"
    hidden, query, wide = block.hidden, block.query, block.intermediate
    # Each norm keeps its input in fp32, and its outcome where its own weights are trained.
    norms = 2 * hidden * FULL_PRECISION + (0 if lora else 2 * hidden * number)
    # Query, key and value as wide as the query (they are repeated for a padded batch), and the outcome.
    attention = 4 * query * number
    # The gate, the gate after its activation, the other branch.
    feed_forward = 3 * wide * number
    return norms + attention + feed_forward + number * _linear_inputs(shape, lora, block, is_half=is_half)


def _linear_inputs(shape: Shape, lora: Lora | None, block: Block, *, is_half: bool) -> int:
    """Return how many numbers linear layers keep of a token's inputs, one decoder layer's on average."""
    chosen = adapted_layers(shape, lora) if lora else linear_layers(shape)
    # An adapter in fp32 beside half-precision weights casts its input for itself; else layers share what they read.
    copies = int(lora is not None and is_half) + int(lora is not None and lora.dropout > 0)
    if copies:
        return copies * sum(into for _, into in chosen.values()) // block.layers
    # What attention gives is kept for its own way back already.
    read = {_input_of(name): into for name, (_, into) in chosen.items() if not name.endswith(_AFTER_ATTENTION)}
    return sum(read.values()) // block.layers


def _input_of(name: str) -> str:
    """Return a name for what a linear layer reads, the same for layers that read the same."""
    parent, _, last = name.rpartition(".")
    return f"{parent}.{_READS_WITH.get(last, last)}"


def _scores(block: Block, training: Training, length: int) -> int:
    """Return what attention keeps that cannot be fused: the scores, capped, in fp32 after softmax, and cast back."""
    if not block.keeps_scores:
        return 0
    return training.batch_size * block.heads * length * length * (3 * BYTES[training.dtype] + FULL_PRECISION)
