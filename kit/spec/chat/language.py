"""What a chat template depends on beside the messages, read from its syntax; nobody's template is run here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jinja2 import TemplateSyntaxError, meta, nodes
from jinja2.ext import Extension
from jinja2.sandbox import ImmutableSandboxedEnvironment

if TYPE_CHECKING:
    from jinja2.parser import Parser

CLOCK = "strftime_now"
"""The function by which a template asks transformers for the time."""
_DICE = {"random", "lipsum"}
"""Jinja's own filter and function whose outcome nobody can pin."""


class TemplateLanguageError(ValueError):
    """A text is no template; `line` is where it stops being one."""

    def __init__(self, message: str, line: int | None = None) -> None:
        """Keep where it is."""
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Dependencies:
    """What decides what a template writes."""

    variables: frozenset[str]
    """Names that it reads and does not set itself: the messages, arguments, functions."""
    draws: bool
    """Whether it draws something at random."""

    @property
    def reads_clock(self) -> bool:
        """Whether it may write the date of the day on which it is filled in."""
        return CLOCK in self.variables


class _Generation(Extension):
    """The tag by which transformers marks what the assistant says; what it holds is written as it stands."""

    tags = {"generation"}  # noqa: RUF012 - Jinja's own form

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Return what stands inside."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def dependencies(text: str) -> Dependencies:
    """Return what a template depends on.

    Raises:
        TemplateLanguageError: it is no template of the language that transformers fills in.
    """
    environment = ImmutableSandboxedEnvironment(extensions=[_Generation, "jinja2.ext.loopcontrols"])
    environment.globals.pop("lipsum")  # else it would count as declared
    try:
        tree = environment.parse(text)
        names = frozenset(meta.find_undeclared_variables(tree))
        filters = {node.name for node in tree.find_all(nodes.Filter)}
    except TemplateSyntaxError as error:
        raise TemplateLanguageError(error.message or "its syntax is wrong", error.lineno) from error
    except RecursionError as error:
        raise TemplateLanguageError("it is nested too deeply") from error
    return Dependencies(names, draws=bool(_DICE & (names | filters)))
