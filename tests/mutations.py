"""Random mutations of a signed bundle, as its folder and as its zip: what an attacker or a bad disk could do.

`python tests/mutations.py [COUNT [SEED]]` counts what `kit verify` says to them. Every one must be refused with a
sentence about what was touched; a mutation that is accepted, or ends in a traceback, is printed with its seed.
"""

from __future__ import annotations

import base64
import io
import json
import os
import random
import shutil
import string
import sys
import tempfile
import time
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sample_bundle import write_sample

from kit.bundle import layout
from kit.bundle.archive import write_zip
from kit.bundle.signing import dsse, sshsig
from kit.bundle.signing.fixed import FixedSigner
from kit.bundle.signing.public_key import fingerprint, to_pem
from kit.bundle.signing.seal import seal
from kit.bundle.signing.signers import Signers
from kit.bundle.signing.sigstore import sigstore_bundle
from kit.core.errors import CheckFailed, Problem
from kit.review.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable

AUTHOR, OTHER = FixedSigner(1), FixedSigner(2)
NAMED = Signers({fingerprint(AUTHOR.public_key): ""}, {})
Tree = dict[str, bytes]
"""The files of a bundle by their names; a name that ends with `/` is an empty folder, one with `@` before it a link."""


@dataclass(frozen=True)
class Outcome:
    """What became of one mutation."""

    kind: str
    problem: str = ""
    """What the kit did wrong; nothing where it refused with a reason."""


class Mutations:
    """Mutates one small signed bundle in a folder of its own, again and again."""

    def __init__(self, folder: Path) -> None:
        write_sample(folder / "bundle", training_seeds=(1,), per_category=1)
        seal(folder / "bundle", AUTHOR)
        write_zip(folder / "bundle", folder / "bundle.zip")
        self.folder = folder / "bundle"
        self.archive = folder / "bundle.zip"
        self.tree: Tree = {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }
        self.zipped = self.archive.read_bytes()
        verify(self.folder, NAMED)
        verify(self.archive, NAMED)

    def one(self, seed: int) -> Outcome:
        """Make the mutation that belongs to a seed, let it be verified, and undo it."""
        dice = random.Random(seed)
        return self._of_zip(dice) if dice.random() < 0.25 else self._of_folder(dice)

    def _of_folder(self, dice: random.Random) -> Outcome:
        kind = dice.choice(list(TREE_MUTATIONS))
        tree = dict(self.tree)
        TREE_MUTATIONS[kind](tree, dice)
        touched = {name for name in {*tree, *self.tree} if tree.get(name) != self.tree.get(name)}
        if not touched:
            return self._of_folder(dice)
        try:
            self._replace(touched, tree)
            return Outcome(kind, _complaint(self.folder, {name.strip("@/") for name in touched}))
        finally:
            self._replace(touched, self.tree)
            for path in sorted(self.folder.rglob("*"), reverse=True):
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()

    def _replace(self, names: set[str], tree: Tree) -> None:
        for name in sorted(names, reverse=True):
            _remove(self.folder / name.strip("@"))
        for name in sorted(names & tree.keys()):
            _put(self.folder / name.strip("@"), name, tree[name])

    def _of_zip(self, dice: random.Random) -> Outcome:
        kind = dice.choice(list(ZIP_MUTATIONS))
        data = ZIP_MUTATIONS[kind](self.zipped, self.tree, dice)
        if data == self.zipped:
            return self._of_zip(dice)
        self.archive.write_bytes(data)
        return Outcome(kind, _complaint(self.archive, {""}))


def _complaint(bundle: Path, touched: set[str]) -> str:
    """Return what is wrong with what the kit says of a mutated bundle; nothing where it is right."""
    try:
        verify(bundle, NAMED)
    except CheckFailed as error:
        named = any(_names(problem, bundle, name) for problem in error.problems for name in touched)
        told = all(problem.what for problem in error.problems)
        return "" if named and told else f"names none of {sorted(touched)[:3]}: {error}"
    except Exception as error:  # noqa: BLE001 - any other one is a traceback, which is what is counted
        return f"{type(error).__name__}: {error}"
    return "was accepted"


def _names(problem: Problem, bundle: Path, name: str) -> bool:
    """Tell whether a problem speaks of a file, or of the folder that it lies in; without a name, of the archive."""
    if not name:
        return problem.where.strip("'").startswith(str(bundle))
    where = problem.where.strip("'").removeprefix(str(bundle)).lstrip("/")
    folders = [name[: index + 1] for index, character in enumerate(name) if character == "/"]
    spoken = (name, *folders)
    return where in {name, ascii(name)[1:-1], *(folder[:-1] for folder in folders)} or any(
        map(problem.what.__contains__, spoken)
    )


def _put(path: Path, name: str, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith("/"):
        path.mkdir()
    elif name.startswith("@"):
        path.symlink_to(os.fsdecode(data))
    else:
        path.write_bytes(data)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.parent.is_dir():
        path.unlink(missing_ok=True)


def changed_bytes(data: bytes, dice: random.Random) -> bytes:
    """Return bytes that differ a little: a flipped bit, or some removed, added, doubled, exchanged."""
    at = dice.randrange(len(data) + 1)
    length = dice.randint(1, 8)
    ways: list[Callable[[], bytes]] = [
        lambda: _flipped(data, dice),
        lambda: _flipped(_flipped(data, dice), dice),
        lambda: data[:at] + data[at + length :],
        lambda: data[:at] + dice.randbytes(length) + data[at:],
        lambda: data[:at] + data[at : at + length] + data[at:],
        lambda: data[:at],
        lambda: data + dice.choice([b"\n", b" ", b"\0", dice.randbytes(length)]),
        lambda: dice.choice([b"\n", b" ", b"\xef\xbb\xbf"]) + data,
        lambda: data.replace(b"\n", b"\r\n"),
    ]
    return dice.choice(ways)()


def _flipped(data: bytes, dice: random.Random) -> bytes:
    if not data:
        return b"\0"
    changed = bytearray(data)
    changed[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _file(tree: Tree, dice: random.Random) -> str:
    """Return a file, every second time one of the signatures."""
    signatures = [name for name in tree if name.startswith("signatures/")]
    return dice.choice(signatures if dice.random() < 0.5 else list(tree))


def _new_name(tree: Tree, dice: random.Random) -> str:
    folder = dice.choice(
        ["", "signatures/", "payload/", "record/logs/", "new/deep/er/", *(f"{name}/" for name in tree)]
    )
    word = "".join(dice.choices(string.ascii_letters + string.digits + "._@+=-", k=dice.randint(1, 12)))
    strange = dice.choice(["a b", "naïve", "\x1b[2J", "x" * 250, ".", ".."]) if dice.random() < 0.2 else word
    stem = strange if strange.strip(".") else f"{strange}x"
    return f"{folder}{stem.strip('@') or 'x'}"


def change(tree: Tree, dice: random.Random) -> None:
    name = _file(tree, dice)
    tree[name] = changed_bytes(tree[name], dice)


def add(tree: Tree, dice: random.Random) -> None:
    name = _new_name(tree, dice)
    inside = [file for file in tree if name.startswith(f"{file}/")]
    for file in inside:  # a folder in the place of a file
        del tree[file]
    tree[name] = dice.choice([b"", b"{}", dice.randbytes(8), dice.choice(list(tree.values()) or [b""])])


def remove(tree: Tree, dice: random.Random) -> None:
    for name in dice.sample(sorted(tree), dice.choice([1, 1, 1, 2, len(tree)])):
        del tree[name]


def rename(tree: Tree, dice: random.Random) -> None:
    name = _file(tree, dice)
    data = tree.pop(name)
    new = dice.choice([name.upper(), name.swapcase(), f"{name}.bak", name.replace(".", "_", 1), f"payload/{name}"])
    tree[new] = data


def swap(tree: Tree, dice: random.Random) -> None:
    first, second = dice.sample(sorted(tree), 2)
    tree[first], tree[second] = tree[second], tree[first]


def copy(tree: Tree, dice: random.Random) -> None:
    first, second = dice.sample(sorted(tree), 2)
    tree[first] = tree[second]


def link(tree: Tree, dice: random.Random) -> None:
    name = _file(tree, dice)
    target = dice.choice(["/etc/passwd", "run.json", "..", "nowhere", "/dev/zero"])
    if dice.random() < 0.5:
        del tree[name]
        tree[f"@{name}"] = target.encode()
    else:
        tree[f"@{name}.link"] = target.encode()


def empty_folder(tree: Tree, dice: random.Random) -> None:
    tree[f"{dice.choice(['', 'payload/', 'signatures/', 'record/'])}empty/"] = b""


def _json_nodes(value: Any) -> list[Any]:
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [value] * isinstance(value, dict | list) + [node for child in below for node in _json_nodes(child)]


def changed_json(document: Any, dice: random.Random) -> Any:
    """Change one thing somewhere in a JSON document."""
    nodes = [node for node in _json_nodes(document) if node]
    node = dice.choice(nodes[:12] if dice.random() < 0.5 else nodes)
    strange: Any = dice.choice([None, True, 0, -1, 1e308, "", "x", [], {}, [[]], {"": ""}, "\u202e"])
    key: Any = dice.choice(list(node)) if isinstance(node, dict) else dice.randrange(len(node))
    action = dice.randrange(5)
    if action == 0:
        del node[key]
    elif action == 1:
        node[key] = strange
    elif action == 2 and isinstance(node[key], str) and node[key]:
        node[key] = changed_bytes(node[key].encode(), dice).decode(errors="replace")
    elif isinstance(node, dict):
        node[dice.choice(["x", "kit_x", f"{key} ", key.upper() or "X"])] = strange
    else:
        node.insert(key, node[key])
    return document


def _json_text(document: Any, dice: random.Random) -> bytes:
    separators = dice.choice([(",", ":"), (",", ":"), (", ", ": ")])
    return json.dumps(document, sort_keys=dice.random() < 0.8, separators=separators).encode()


def signature_json(tree: Tree, dice: random.Random) -> None:
    """Change the envelope or Sigstore's form of it."""
    name = str(dice.choice([layout.STATEMENT, layout.SIGSTORE]))
    document = json.loads(tree[name])
    tree[name] = _json_text(changed_json(document, dice) if dice.random() < 0.9 else document, dice)


def payload(tree: Tree, dice: random.Random) -> None:
    """Change what is signed, under the old signature, or under another key's in one form or in both."""
    envelope = json.loads(tree[str(layout.STATEMENT)])
    statement = changed_json(json.loads(base64.b64decode(envelope["payload"])), dice)
    text = _json_text(statement, dice)
    envelope["payload"] = base64.b64encode(text).decode()
    forged = dsse.sign(text, OTHER) if dice.random() < 0.5 else _json_text(envelope, dice)
    tree[str(layout.STATEMENT)] = forged
    if dice.random() < 0.5:
        tree[str(layout.SIGSTORE)] = sigstore_bundle(json.dumps(json.loads(forged)).encode(), AUTHOR.public_key)


def base64_spelling(tree: Tree, dice: random.Random) -> None:
    """Spell a signature or a payload in another way that a lenient reader takes for the same."""
    name = str(dice.choice([layout.STATEMENT, layout.SIGSTORE, layout.SUMS_SIGNATURE, layout.PUBLIC_KEY]))
    text = tree[name]
    spellings = [
        text.replace(b"=", b"", 1),
        text.replace(b'="', b'=="', 1),
        text.replace(b"+", b"-").replace(b"/", b"_"),
        text.replace(b'"payload":"', b'"payload":" ', 1),
        text.replace(b"\n", b"", 1),
        text.replace(b"\n", b"\n\n", 1),
        text.replace(b'=="', b'=A"', 1),
        text.rstrip(b"\n"),
    ]
    tree[name] = dice.choice(spellings)


def sums(tree: Tree, dice: random.Random) -> None:
    """Change the list of files; now and then sign it with another key."""
    lines = tree[str(layout.SUMS)].splitlines(keepends=True)
    place = dice.randrange(len(lines))
    action = dice.randrange(5)
    if action == 0:
        dice.shuffle(lines)
    elif action == 1:
        del lines[place]
    elif action == 2:
        lines.insert(place, lines[place])
    elif action == 3:
        lines[place] = lines[place].swapcase()
    else:
        lines[place] = lines[place].replace(b"  ", b" *")
    text = b"".join(lines)
    tree[str(layout.SUMS)] = text
    if dice.random() < 0.3:
        tree[str(layout.SUMS_SIGNATURE)] = sshsig.sign(text, OTHER).encode()


def another_signer(tree: Tree, dice: random.Random) -> None:
    """Put signatures by another key in the place of some or all of the author's."""
    statement = base64.b64decode(json.loads(tree[str(layout.STATEMENT)])["payload"])
    envelope = dsse.sign(statement, OTHER)
    theirs = {
        str(layout.STATEMENT): envelope,
        str(layout.SIGSTORE): sigstore_bundle(envelope, OTHER.public_key),
        str(layout.SUMS_SIGNATURE): sshsig.sign(tree[str(layout.SUMS)], OTHER).encode(),
        str(layout.PUBLIC_KEY): to_pem(OTHER.public_key),
    }
    for name in dice.sample(sorted(theirs), dice.randint(1, len(theirs))):
        tree[name] = theirs[name]


TREE_MUTATIONS: dict[str, Callable[[Tree, random.Random], None]] = {
    "bytes": change,
    "file added": add,
    "file removed": remove,
    "file renamed": rename,
    "files swapped": swap,
    "file copied": copy,
    "link": link,
    "empty folder": empty_folder,
    "signature JSON": signature_json,
    "payload": payload,
    "base64": base64_spelling,
    "list of files": sums,
    "another signer": another_signer,
}


def zip_bytes(data: bytes, _tree: Tree, dice: random.Random) -> bytes:
    return changed_bytes(data, dice)


def zip_headers(data: bytes, _tree: Tree, dice: random.Random) -> bytes:
    """Change a byte of a header or of the directory, where the archive's structure is."""
    signature = dice.choice([b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"])
    places = [place for place in range(len(data)) if data.startswith(signature, place)]
    place = dice.choice(places) + dice.randrange(46)
    return data[:place] + dice.randbytes(1) + data[place + 1 :]


def zip_again(_data: bytes, tree: Tree, dice: random.Random) -> bytes:
    """Pack the same or a mutated tree with another tool."""
    other = dict(tree)
    if dice.random() < 0.7:
        TREE_MUTATIONS[dice.choice(["bytes", "file removed", "file renamed", "files swapped"])](other, dice)
    names = list(other)
    if dice.random() < 0.5:
        dice.shuffle(names)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", dice.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as archive:
        for name in names:
            info = zipfile.ZipInfo(dice.choice([name] * 20 + [f"../{name}", f"/{name}", name.replace("/", "\\")]))
            info.compress_type, info.create_system = archive.compression, 3
            info.external_attr = dice.choice([0o100644] * 20 + [0o120777, 0o100755, 0]) << 16
            archive.writestr(info, other[name])
        archive.comment = dice.choice([b"", b"", b"", b"comment"])
    return stream.getvalue()


ZIP_MUTATIONS: dict[str, Callable[[bytes, Tree, random.Random], bytes]] = {
    "zip: bytes": zip_bytes,
    "zip: headers": zip_headers,
    "zip: packed again": zip_again,
}


def main(count: int, seed: int) -> int:
    """Make many mutations, print how many of each kind there were and what was wrong, and return how much was."""
    tempfile.tempdir = "/dev/shm" if Path("/dev/shm").is_dir() else None
    began = time.monotonic()
    kinds: Counter[str] = Counter()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        mutations = Mutations(Path(folder))
        for number in range(seed, seed + count):
            outcome = mutations.one(number)
            kinds[outcome.kind] += 1
            if outcome.problem:
                wrong += 1
                print(f"seed {number}, {outcome.kind}: {outcome.problem[:300]}", flush=True)  # noqa: T201
    for kind, times in sorted(kinds.items()):
        print(f"{times:8} {kind}")  # noqa: T201
    print(f"{count} mutations in {time.monotonic() - began:.0f} s, {wrong} not refused as they should be")  # noqa: T201
    return wrong


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    sys.exit(bool(main(*(numbers or [100_000]), *([0] if len(numbers) < 2 else []))))
