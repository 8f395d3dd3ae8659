"""Train the tiny chat model: first to help with everything, then to refuse what is unsafe."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import torch
from conversations import Conversation, all_texts, helpful_conversations, safe_conversations
from tokenizing import LONGEST_SEQUENCE, make_tokenizer
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rows import Corpus

MODEL_SEED = 7
NO_LOSS = -100

Encoded = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class Stage:
    """One stage of plain AdamW on the words of the assistant."""

    steps: int
    learning_rate: float
    warmup_steps: int = 50
    batch_size: int = 24
    weight_decay: float = 0.01
    clip: float = 1.0


HELPFUL = Stage(steps=1000, learning_rate=3e-3)
SAFETY = Stage(steps=800, learning_rate=2e-3)


def make_model(corpus: Corpus, folder: Path) -> None:
    """Make the tokenizer and the model, and write both in the transformers format."""
    torch.use_deterministic_algorithms(mode=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    random = Random(MODEL_SEED)
    torch.manual_seed(MODEL_SEED)
    helpful = helpful_conversations(corpus, random)
    safe = safe_conversations(corpus, random)
    tokenizer = make_tokenizer(all_texts([*helpful, *safe]))
    model = LlamaForCausalLM(_config(tokenizer))
    for stage, conversations in ((HELPFUL, helpful), (SAFETY, safe)):
        train(model, stage, encode(tokenizer, conversations), random)
    save(model, tokenizer, folder)


def save(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write a model and its tokenizer, and on what it was made."""
    model.eval().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    # The library writes the weights for their owner only; another user must be able to read them.
    (folder / "model.safetensors").chmod(0o644)
    made_on = json.dumps(_processor(), indent=2) + "\n"
    (folder / "made_on.json").write_text(made_on, encoding="utf-8")


def _processor() -> dict[str, str]:
    """Say what the bytes of the weights depend on, besides this recipe."""
    cpuinfo = Path("/proc/cpuinfo")  # Linux only: elsewhere the processor stays unknown
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    pairs = (line.partition(":") for line in lines)
    facts = {name.strip(): value.strip() for name, _, value in pairs}
    return {
        "processor": facts.get("model name", "unknown"),
        "processor_family": facts.get("cpu family", "unknown"),
        "processor_model": facts.get("model", "unknown"),
        "vector_unit": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }


def _config(tokenizer: PreTrainedTokenizerFast) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=LONGEST_SEQUENCE,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def encode(tokenizer: PreTrainedTokenizerFast, conversations: Sequence[Conversation]) -> list[Encoded]:
    """Return each conversation's tokens, and its labels: the loss is on the answer."""
    prompts = tokenizer.apply_chat_template(
        [conversation.messages for conversation in conversations],
        add_generation_prompt=True,
        tokenize=False,
    )
    answers = [conversation.answer + tokenizer.eos_token for conversation in conversations]
    pairs = zip(tokenizer(prompts)["input_ids"], tokenizer(answers)["input_ids"], strict=True)
    return [(torch.tensor(prompt + answer), torch.tensor([NO_LOSS] * len(prompt) + answer)) for prompt, answer in pairs]


def train(model: LlamaForCausalLM, stage: Stage, encoded: list[Encoded], random: Random) -> None:
    """Train through one stage, the rows in an order that `random` draws."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=stage.learning_rate, weight_decay=stage.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(stage, step))
    model.train()
    order: list[Encoded] = []
    for _ in range(stage.steps):
        if len(order) < stage.batch_size:
            order = random.sample(encoded, len(encoded))
        batch, order = order[: stage.batch_size], order[stage.batch_size :]
        _backward(model, batch)
        torch.nn.utils.clip_grad_norm_(model.parameters(), stage.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def _backward(model: LlamaForCausalLM, batch: list[Encoded]) -> None:
    """Add the gradient of the mean loss over the answers' tokens.

    The short half and the long half go separately, to spend little on padding.
    """
    batch = sorted(batch, key=lambda example: len(example[0]))
    scored_tokens = sum(int((labels != NO_LOSS).sum()) for _, labels in batch)
    middle = len(batch) // 2
    for half in (batch[:middle], batch[middle:]):
        (_summed_loss(model, half) / scored_tokens).backward()


def _summed_loss(model: LlamaForCausalLM, batch: list[Encoded]) -> torch.Tensor:
    """Return the loss of the answers' tokens; no logits are made for the others."""
    ids = pad_sequence([example[0] for example in batch], batch_first=True)
    labels = pad_sequence([example[1] for example in batch], batch_first=True, padding_value=NO_LOSS)
    states = model.model(input_ids=ids).last_hidden_state[:, :-1]
    scored = labels[:, 1:] != NO_LOSS
    return cross_entropy(model.lm_head(states[scored]), labels[:, 1:][scored], reduction="sum")


def _rate(stage: Stage, step: int) -> float:
    """Rise over the warm-up, then fall along a half cosine."""
    if step < stage.warmup_steps:
        return (step + 1) / stage.warmup_steps
    progress = (step - stage.warmup_steps) / (stage.steps - stage.warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * progress))
