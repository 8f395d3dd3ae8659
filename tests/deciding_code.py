"""The code that decides what a version stands for: `python tests/deciding_code.py` records it as it is now.

A version is raised by hand, by somebody who knows that results change; that nobody forgets it is what this is for. Of
each file its form without comments, docstrings and types for checkers is recorded, so that words change nothing.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.core.digests import data_digest
from kit.report.write import DOCUMENTS
from kit.run.versions import GENERATION_VERSION, TRAINING_VERSION
from kit.stats.metrics import current_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CHECKOUT = Path(__file__).parents[1]
RECORD = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Decided:
    """What a version stands for, and the code that decides it."""

    versions: Mapping[str, int]
    """As they are now, by the names under which they are raised."""
    raised_in: str
    roots: tuple[str, ...]
    """Modules whose imports, and theirs, decide too."""
    within: tuple[str, ...]
    """Where imports are followed to: what lies elsewhere is decided by tests of its own, or decides nothing."""
    functions: tuple[str, ...] = ()
    """`FILE::CLASS.NAME` of functions that decide although the rest of their file does not."""
    texts: tuple[str, ...] = ()
    """Patterns of files that are no Python, of which every byte decides."""


_RUN = "kit/run/backends"
_JOBS = "kit/run/executor.py::Executor"
DECIDED = {
    "training": Decided(
        {"TRAINING_VERSION": TRAINING_VERSION},
        "kit/run/versions.py",
        (f"{_RUN}/training/trl.py", f"{_RUN}/training/rank.py"),
        (
            f"{_RUN}/training/",
            f"{_RUN}/generation/",
            f"{_RUN}/worker/jobs.py",
            "kit/spec/chat/",
            "kit/core/thinking.py",
        ),
        (f"{_JOBS}._training_job",),
    ),
    "generation": Decided(
        {"GENERATION_VERSION": GENERATION_VERSION},
        "kit/run/versions.py",
        (f"{_RUN}/generation/vllm.py",),
        (
            f"{_RUN}/generation/",
            f"{_RUN}/worker/jobs.py",
            "kit/spec/chat/",
            "kit/spec/adapter/",
            "kit/core/thinking.py",
        ),
        (
            *(f"{_JOBS}.{name}" for name in ("_generation_job", "_judging_job", "_weights")),
            *(f"kit/run/judge_steps.py::JudgeStep.{name}" for name in ("generation", "questions", "complete")),
            "kit/spec/judges/template.py::fill",
        ),
    ),
    "numbers": Decided(
        current_versions(), "kit/stats/metrics.py", ("kit/stats/metrics.py",), ("kit/stats/", "kit/core/rates.py")
    ),
    "documents": Decided(
        DOCUMENTS,
        "kit/report/html.py, kit/report/model_card.py or kit/bundle/crate.py",
        ("kit/report/html.py", "kit/report/model_card.py", "kit/bundle/crate.py"),
        ("kit/report/", "kit/bundle/crate.py", "kit/bundle/layout.py"),
        texts=tuple(f"kit/report/templates/{name}.*" for name in ("background", "parts", "report", "results")),
    ),
}


def code_of(decided: Decided) -> dict[str, str]:
    """Return the digest of each file and function that decides, by its place."""
    found = {str(path): _digest(ast.parse(_read(path))) for path in sorted(_reached(decided))}
    for place in decided.functions:
        file, _, name = place.partition("::")
        found[place] = _digest(_named(ast.parse(_read(file)), name.split("."), place))
    for pattern in decided.texts:
        for path in sorted(CHECKOUT.glob(pattern)):
            found[str(path.relative_to(CHECKOUT))] = data_digest(path.read_bytes())
    return found


def recorded() -> dict[str, Any]:
    """Return what was recorded last."""
    document: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return document


def now() -> dict[str, Any]:
    """Return what would be recorded of this checkout."""
    return {name: {"versions": {**one.versions}, "code": code_of(one)} for name, one in DECIDED.items()}


def _read(path: str | Path) -> str:
    return (CHECKOUT / path).read_text(encoding="utf-8")


def _reached(decided: Decided) -> set[str]:
    """Return the files of the roots and of what they import, as far as imports are followed."""
    found: set[str] = set()
    left = [*decided.roots]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            left += [one for one in _imported(_without_words(ast.parse(_read(path)))) if one.startswith(decided.within)]
    return found


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                inside, module = (one.replace(".", "/") + ".py" for one in (name, node.module))
                package = f"{name.replace('.', '/')}/__init__.py"
                yield next((one for one in (inside, package) if (CHECKOUT / one).is_file()), module)


def _named(tree: ast.AST, names: Iterable[str], place: str) -> ast.AST:
    for name in names:
        inside = [one for one in ast.iter_child_nodes(tree) if getattr(one, "name", None) == name]
        if not inside:
            raise AssertionError(f"{place} is not there: it was moved, and tests/deciding_code.py should say where to")
        tree = inside[0]
    return tree


def _digest(tree: ast.AST) -> str:
    return data_digest(json.dumps(_form(_without_words(tree))).encode())


class _Words(ast.NodeTransformer):
    """Takes out what is said to readers and to checkers of types."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node

    def visit_If(self, node: ast.If) -> ast.AST | None:
        for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if for_types else self.generic_visit(node)


def _without_words(tree: ast.AST) -> ast.AST:
    changed = _Words().visit(tree)
    assert isinstance(changed, ast.AST)
    return changed


def _form(node: object) -> object:
    """Return a tree as lists and texts, the same whichever Python has parsed it."""
    if isinstance(node, ast.AST):
        told = {name: value for name, value in ast.iter_fields(node) if name not in ("ctx", "kind", "type_comment")}
        return [type(node).__name__, {name: _form(value) for name, value in told.items() if value not in (None, [])}]
    return [_form(one) for one in node] if isinstance(node, list) else repr(node)


if __name__ == "__main__":
    RECORD.write_text(json.dumps(now(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
