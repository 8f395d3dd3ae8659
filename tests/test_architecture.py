"""The house as docs/architecture.md describes it, held against what the code imports."""

from __future__ import annotations

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"): ast.parse(path.read_text())
    for path in sorted((CHECKOUT / "kit").rglob("*.py"))
}
HEAVY = {"accelerate", "datasets", "peft", "safetensors", "torch", "transformers", "trl", "vllm"}
UI = {"click", "rich"}
AT_THE_SEAMS = {
    *("kit.trainer.trl", "kit.trainer.rank"),
    *("kit.engine.vllm", "kit.engine.merge", "kit.engine.asking", "kit.engine.ends", "kit.engine.showing"),
    "kit.chat.tokenizer",
    *("kit.engine.applying", "kit.engine.agreement", "kit.engine.base", "kit.engine.saving"),
}
OWN_DOCUMENTS = {"bundle", "environment", "papers", "receipt", "remembered", "signer", "source", "store", "worker"} | {
    *("arithmetic", "cli", "execute", "rehearsal", "kit.engine.scripted", "kit.checkpoint.known"),
    *("kit.manifest.load", "kit.manifest.pin"),
}
"""Rooms and modules that read what the kit itself has written, or what a user writes for it."""
MAX_LINES = 360
"""What the tables of the report take; most modules are far shorter."""


def imports(tree: ast.AST) -> set[str]:
    """Return the modules that are imported anywhere, inside functions and for types included."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            name = str(node.module)
            inside = {f"{name}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= inside or {name}
        else:
            found |= imports(node)
    return found


def room(module: str) -> str:
    """Return the part of the house that a module of the kit is in; the package itself is everybody's."""
    return module.split(".")[1] if "." in module else ""


def documented_rooms() -> dict[str, set[str]]:
    """Return what each room may import, as the table in docs/architecture.md has it."""
    text = (CHECKOUT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?) \| .+? \| (.+?) \|$", text, re.MULTILINE)
    names = [(re.findall(r"`(\w+)/?`", first), last) for first, last in rows]
    ground, everything = set(names[0][0]), {name for first, _ in names for name in first} - {"cli"}
    allowed: dict[str, set[str]] = {}
    for rooms, last in names:
        words = set(re.findall(r"`(\w+)`", last))
        words |= ground if "ground" in last or "each other" in last else set()
        words |= everything if last.startswith("everything") else set()
        allowed |= {name: words | set(rooms) for name in rooms}
    return allowed


def test_a_room_imports_only_what_the_plan_of_the_house_allows() -> None:
    allowed = documented_rooms()
    crossings = {
        f"{module} imports {imported}"
        for module, tree in MODULES.items()
        for imported in imports(tree)
        if room(module) in allowed and imported.startswith("kit.") and room(imported) not in allowed[room(module)]
    }
    assert crossings == set()


def test_every_room_is_in_the_plan_of_the_house() -> None:
    assert set(map(room, MODULES)) - {"", "__main__"} == documented_rooms().keys()


def test_only_the_seams_import_what_is_heavy() -> None:
    for module, tree in MODULES.items():
        heavy = {name for name in imports(tree) if name.split(".")[0] in HEAVY}
        assert not heavy or module in AT_THE_SEAMS, module


def test_what_others_wrote_is_not_held_to_the_rules_of_the_kit() -> None:
    """Who reads a model's or an adapter's files takes `kit.lenient`; strict are manifests, bundles and statements."""
    strict = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "kit.canonical"
        if {alias.name for alias in node.names} & {"read_json", "parse_json"}
    }
    assert not {module for module in strict if not {room(module), module} & OWN_DOCUMENTS}
    plain = {module for module, tree in MODULES.items() if "json.loads" in ast.unparse(tree)}
    assert plain <= {
        *("kit.canonical", "kit.lenient", "kit.manifest.schema", "kit.report.model_card"),
        *("kit.papers.process", "kit.trainer.distributed", "kit.trainer.rank"),
    }


def test_no_module_imports_the_seams_at_its_start() -> None:
    for module, tree in MODULES.items():
        assert module in AT_THE_SEAMS or not imports(tree) & AT_THE_SEAMS, module


def test_only_the_command_line_imports_what_draws_it() -> None:
    users = {room(module) for module, tree in MODULES.items() for name in imports(tree) if name.split(".")[0] in UI}
    assert users == {"cli"}


def test_pdfs_are_read_in_a_process_of_their_own() -> None:
    """Whoever imports the library, or the module that does, has hashlib and a stranger's PDF in their process."""
    users = {module for module, tree in MODULES.items() if imports(tree) & {"pikepdf", "kit.papers.pdf"}}
    assert users == {"kit.papers.pdf", "kit.papers.child"}
    assert not [module for module, tree in MODULES.items() if "kit.papers.child" in imports(tree)]


def test_there_is_no_circle() -> None:
    """Imports inside functions count: files that need each other are one file, or lack one between them."""
    graph = {module: imports(tree) & MODULES.keys() for module, tree in MODULES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("module", ["hashlib", "hmac", "secrets"])
def test_nothing_imports_another_hash(module: str) -> None:
    assert [name for name, tree in MODULES.items() if module in imports(tree)] == []


@pytest.mark.parametrize("name", ["print", "input", "os.environ", "os.getenv", "sys.argv", "sys.stdout", "sys.stderr"])
def test_only_the_command_line_talks_to_the_user_and_the_environment(name: str) -> None:
    """A child is a command line of its own: it is told what to do there, and answers through a pipe."""
    users = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) == name
    }
    assert {module for module in users if room(module) != "cli"} <= {
        "kit.worker.child",
        "kit.papers.child",
        "kit.trainer.distributed",
        "kit.trainer.rank",
    }


@pytest.mark.parametrize("name", ["Exception", "BaseException"])
def test_no_error_is_caught_without_a_name(name: str) -> None:
    for module, tree in MODULES.items():
        caught = [node.type for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler)]
        assert None not in caught, module
        assert name not in {ast.unparse(node) for node in caught if node}, module


def test_a_module_can_be_read_in_one_sitting() -> None:
    long = {module: node.end_lineno for module, tree in MODULES.items() for node in tree.body[-1:]}
    assert {module: lines for module, lines in long.items() if (lines or 0) > MAX_LINES} == {}
