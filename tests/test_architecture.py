"""The packages as docs/architecture.md describes them, held against what the code imports."""

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
FOLDERS = {name.rpartition(".")[0] for name in MODULES}
HEAVY = {"accelerate", "datasets", "peft", "safetensors", "torch", "transformers", "trl", "vllm"}
UI = {"click", "rich"}
_BACKENDS = "kit.run.backends"
HEAVY_MODULES = {
    *(f"{_BACKENDS}.training.{name}" for name in ("trl", "rank")),
    *(f"{_BACKENDS}.generation.{name}" for name in ("vllm", "merge", "asking", "ends", "showing")),
    *(f"{_BACKENDS}.generation.{name}" for name in ("applying", "agreement", "base", "saving")),
    "kit.spec.chat.tokenizer",
}
OWN_DOCUMENTS = (
    *("kit.bundle", "kit.spec.environment", "kit.spec.data", "kit.cli", "kit.core.digest_cache", "kit.review.receipt"),
    *("kit.review.blocks", "kit.review.recompute", "kit.run.store", "kit.run.executor", "kit.run.rehearsal"),
    *("kit.run.backends.worker", "kit.run.backends.generation.scripted", "kit.spec.checkpoint.known"),
    *("kit.spec.manifest.load", "kit.spec.manifest.pin", "kit.library"),
)
"""Packages and modules that read what the kit itself has written, or what a user writes for it."""
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


def package(module: str) -> str:
    """Return the package that a module of the kit is in; the kit itself is everybody's."""
    return module.split(".")[1] if "." in module else ""


def inner_package(module: str) -> str:
    """Return the folder that a module lies in, or the module itself where it lies beside such folders."""
    inner = ".".join(module.split(".")[:3])
    return inner if inner in FOLDERS else ".".join(module.split(".")[:2])


def documented_packages() -> dict[str, set[str]]:
    """Return what each package may import, as the table in docs/architecture.md has it."""
    text = (CHECKOUT / "docs/architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .+? \| (.+?) \|$", text, re.MULTILINE)
    everything = {name for name, _ in rows}
    return {
        name: {name, *(everything if last.startswith("everything") else re.findall(r"`(\w+)`", last))}
        for name, last in rows
    }


def test_a_package_imports_only_what_the_documents_allow() -> None:
    allowed = documented_packages()
    crossings = {
        f"{module} imports {imported}"
        for module, tree in MODULES.items()
        for imported in imports(tree)
        if package(module) in allowed and "." in imported and imported.startswith("kit.")
        if package(imported) not in allowed[package(module)]
    }
    assert crossings == set()


def test_what_a_reader_runs_never_reaches_what_trains() -> None:
    """Through however many modules: `review` and all that it imports stay clear of `run`."""
    seen: set[str] = set()
    todo = [module for module in MODULES if package(module) == "review"]
    while todo:
        module = todo.pop()
        seen.add(module)
        todo += [*(imports(MODULES[module]) & MODULES.keys() - seen)]
    assert {module for module in seen if package(module) in {"run", "cli"}} == set()


def test_every_package_is_in_the_documents() -> None:
    assert set(map(package, MODULES)) - {"", "__main__"} == documented_packages().keys()
    text = (CHECKOUT / "docs/architecture.md").read_text(encoding="utf-8")
    inner = {inner_package(module) for module in MODULES}
    told = set(re.findall(r"^\| `(\w+/\w+)` \|", text, re.MULTILINE))
    assert {name.removeprefix("kit.").replace(".", "/") for name in inner if name.count(".") == 2} == told


def test_only_the_backends_import_what_is_heavy() -> None:
    for module, tree in MODULES.items():
        heavy = {name for name in imports(tree) if name.split(".")[0] in HEAVY}
        assert not heavy or module in HEAVY_MODULES, module


def test_what_others_wrote_is_not_held_to_the_rules_of_the_kit() -> None:
    """Who reads a model's or an adapter's files takes `kit.core.lenient`; manifests and bundles are read strictly."""
    strict = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "kit.core.canonical"
        if {alias.name for alias in node.names} & {"read_json", "parse_json"}
    }
    assert not {module for module in strict if not module.startswith(OWN_DOCUMENTS)}
    plain = {module for module, tree in MODULES.items() if "json.loads" in ast.unparse(tree)}
    assert plain <= {
        *("kit.core.canonical", "kit.core.lenient", "kit.spec.manifest.schema", "kit.report.model_card"),
        *("kit.bundle.papers.process", "kit.run.backends.training.distributed", "kit.run.backends.training.rank"),
    }


def test_no_module_imports_a_real_backend_at_its_start() -> None:
    for module, tree in MODULES.items():
        assert module in HEAVY_MODULES or not imports(tree) & HEAVY_MODULES, module


def test_only_the_command_line_imports_what_draws_it() -> None:
    users = {package(module) for module, tree in MODULES.items() for name in imports(tree) if name.split(".")[0] in UI}
    assert users == {"cli"}


def test_pdfs_are_read_in_a_process_of_their_own() -> None:
    """Whoever imports the library, or the module that does, has hashlib and a stranger's PDF in their process."""
    users = {module for module, tree in MODULES.items() if imports(tree) & {"pikepdf", "kit.bundle.papers.pdf"}}
    assert users == {"kit.bundle.papers.pdf", "kit.bundle.papers.child"}
    assert not [module for module, tree in MODULES.items() if "kit.bundle.papers.child" in imports(tree)]


def test_there_is_no_circle() -> None:
    """Imports inside functions count: files that need each other are one file, or lack one between them."""
    graph = {module: imports(tree) & MODULES.keys() for module, tree in MODULES.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError


def test_there_is_no_circle_of_packages() -> None:
    """`run` and `report` have modules that stand beside their folders and above them: those count one by one."""
    graph: dict[str, set[str]] = {}
    for module, tree in MODULES.items():
        for imported in imports(tree) & MODULES.keys():
            pair = [inner_package(one) if inner_package(one).count(".") == 2 else one for one in (module, imported)]
            graph.setdefault(pair[0], set()).update({pair[1]} - {pair[0]})
    TopologicalSorter(graph).prepare()


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
    assert {module for module in users if package(module) != "cli"} <= {
        "kit.run.backends.worker.child",
        "kit.bundle.papers.child",
        "kit.run.backends.training.distributed",
        "kit.run.backends.training.rank",
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
