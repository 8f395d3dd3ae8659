"""A model's tokenizer with the template of the manifest, and a conversation as the model sees it. Only in a worker."""

from __future__ import annotations

from datetime import date as calendar_date
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from transformers import AutoTokenizer

from kit.spec.chat.language import CLOCK
from kit.spec.chat.text import read_template_file, template_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kit.spec.chat.template import ChatTemplate

    Message = dict[str, str]
    """`role` and `content`."""


def load_tokenizer(folder: str, template: ChatTemplate) -> Any:  # noqa: ANN401 - transformers
    """Return the tokenizer of a model's folder, with the template that `kit check` looked at: its own or another."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if template.file is not None:
        tokenizer.chat_template = read_template_file(Path(template.file))
    else:
        tokenizer.chat_template = template_text({path.name: path for path in Path(folder).iterdir()})
    return tokenizer


def rendered(
    tokenizer: Any,  # noqa: ANN401 - transformers
    messages: Sequence[Message],
    template: ChatTemplate,
    *,
    to_answer: bool,
) -> list[int]:
    """Return the token ids of a conversation; made here, so that nobody adds a second beginning-of-sequence token.

    Args:
        tokenizer: as `load_tokenizer` gives it.
        messages: the conversation.
        template: its date and arguments.
        to_answer: whether the assistant's turn is opened at the end.

    Raises:
        jinja2.TemplateError: the template refuses the conversation.
    """
    text = rendered_text(tokenizer, messages, template, to_answer=to_answer)
    return cast("list[int]", tokenizer(text, add_special_tokens=False)["input_ids"])


def rendered_text(
    tokenizer: Any,  # noqa: ANN401 - transformers
    messages: Sequence[Message],
    template: ChatTemplate,
    *,
    to_answer: bool,
) -> str:
    """Return the same before it is cut into tokens."""
    clock = {CLOCK: calendar_date.fromisoformat(template.date).strftime} if template.date else {}
    return cast(
        "str",
        tokenizer.apply_chat_template(
            [*messages], add_generation_prompt=to_answer, tokenize=False, **template.arguments, **clock
        ),
    )
