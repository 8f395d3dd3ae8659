"""Whether an answer ends: what a chat template writes after one, held against what ends a generation.

Imported only by a worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from transformers import AutoConfig, GenerationConfig

from kit.core.thinking import marked_thinking

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from kit.spec.manifest.model import Generation

ANSWER = "Pineapple"
"""Stands for an answer in a conversation that is rendered only to see what the template writes after it."""

Complaint = tuple[str, str]
"""What is wrong, and what to do."""


class Written(NamedTuple):
    """What a chat template writes after an answer: each token, and how it reads."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """Return it in one piece."""
        return "".join(self.texts)


def ending_ids(model: str, tokenizer: Any) -> set[int]:  # noqa: ANN401 - transformers
    """Return the tokens with which vLLM ends a generation of a model, whatever a request names.

    The tokenizer's own end of sequence, and those in generation_config.json. It reads config.json for them only where
    that file is missing (`ModelConfig.try_get_generation_config`, `SamplingParams.update_from_generation_config`).
    """
    try:
        config = GenerationConfig.from_pretrained(model)
    except OSError:
        config = GenerationConfig.from_model_config(AutoConfig.from_pretrained(model))
    named = config.eos_token_id
    listed = named if isinstance(named, list) else [named]
    return {one for one in (*listed, tokenizer.eos_token_id) if one is not None}


def written_after(tokenizer: Any, conversation: str) -> Written:  # noqa: ANN401 - transformers
    """Return what stands behind the answer in the text of a conversation that ends with `ANSWER`."""
    _, found, after = conversation.rpartition(ANSWER)
    ids = tokenizer(after, add_special_tokens=False)["input_ids"] if found else []
    return Written(tuple(ids), tuple(tokenizer.decode([one]) for one in ids))


def end_complaints(
    written: Written, ending: Collection[int], generation: Generation, special: Mapping[str, int]
) -> Iterator[Complaint]:
    """Yield why answers would not end where they should.

    A template that writes nothing but white space there is no reason: its answers end by other means.

    Args:
        written: what the chat template writes after an answer.
        ending: tokens that end a generation by themselves.
        generation: of the evaluation, whose `stop` and `stop_token_ids` count.
        special: the tokens that never stand in an answer's text, by what they read.
    """
    stop, stop_ids = generation.stop or (), generation.stop_token_ids or ()
    for text in stop:
        if text in special:
            what = f"`stop` names {text!r}, a special token, which never stands in an answer's text"
            yield what, f"write its id into the evaluation's generation: {_named([special[text]])}"
    texts = [text for text in stop if text not in special]
    if not written.text.strip() or {*ending, *stop_ids} & {*written.ids} or any(one in written.text for one in texts):
        return
    first, text = next((i, t) for i, t in zip(written.ids, written.texts, strict=True) if t.strip())
    if text in special or text.strip() == written.text.strip():
        what = f"the chat template ends an answer with {text!r} (token {first}), which ends no generation"
        remedy = f"write into the evaluation's generation: {_named([first])}"
    else:
        what = f"the chat template ends an answer with {written.text.strip()!r}, which ends no generation"
        remedy = f'write into the evaluation\'s generation: "stop": ["{written.text.strip()}"]'
    yield f"{what}: answers would run on to max_tokens", remedy


def _named(ids: list[int]) -> str:
    return f'"stop_token_ids": {ids}'


def special_tokens(tokenizer: Any) -> dict[str, int]:  # noqa: ANN401 - transformers
    """Return the tokens that are left out of a text, by what they read."""
    return {token.content: number for number, token in tokenizer.added_tokens_decoder.items() if token.special}


def thinks_in_special_tokens(special: Collection[str]) -> bool:
    """Tell whether marks of thinking would be left out of a text, so that nobody could see that there was any."""
    return any(marked_thinking(text) for text in special)
