"""Hostile JSON and manifests."""

from __future__ import annotations

import json
from typing import Any

from sample_bundle import sample_manifest


def manifest(**changes: Any) -> bytes:
    """Return a manifest that is right but for these fields at its top level."""
    return json.dumps({**sample_manifest(), **changes}).encode()


def _evaluations(**changes: Any) -> dict[str, Any]:
    return {"unsafe": {**sample_manifest()["evaluations"]["unsafe"], **changes}}


JSON: dict[str, bytes] = {
    "empty": b"",
    "white space": b" \n\t ",
    "nested 100,000 deep": b"[" * 100_000,
    "objects nested 100,000 deep": b'{"a":' * 100_000,
    "nested too deep, many times": b"[" + b",".join([b"[" * 80 + b"]" * 80] * 1000) + b"]",
    "a number of a million digits": b'{"a":' + b"1" * 1_000_000 + b"}",
    "many numbers of thousands of digits": b"[" + b",".join([b"1" * 4300] * 500) + b"]",
    "more than a double": b'{"a":1e999}',
    "2^53": b'{"a":9007199254740993}',
    "NaN": b'{"a":NaN}',
    "100,000 NaN": b"[" + b"NaN," * 100_000 + b"1]",
    "two million values": b"[" + b"[]," * 1_000_000 + b"0]",
    "half a surrogate": b'{"a":"\\ud800"}',
    "half a surrogate as a key": b'{"\\udc00":1}',
    "a raw surrogate": b'{"a":"\xed\xa0\x80"}',
    "100,000 of the same key": b"{" + b'"a":1,' * 100_000 + b'"a":1}',
    "the same key, escaped": b'{"a":1,"\\u0061":2}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a":1}'.encode("utf-16"),
    "UTF-32": '{"a":1}'.encode("utf-32-le"),
    "NUL": b'{"a":"\0"}',
    "escape": b'{"a":"\x1b[2J"}',
    "two documents": b"{}{}",
    "a comment": b'{"a":1} // b',
    "a key as long as the file": b'{"schema_version":1,"' + b"n" * 3_000_000 + b'":1}',
    "not an object": b"[1]",
    "a number": b"1",
    "null": b"null",
    "a text": b'"a"',
}
"""What no reader of the kit takes for a document of its own."""

MANIFESTS: dict[str, bytes] = {
    "nine million cells": manifest(seeds={"training": list(range(3000)), "generation": list(range(3000))}),
    "seeds of two types": manifest(
        seeds={"training": [n if n % 2 else str(n) for n in range(20_000)], "generation": [1]}
    ),
    "seeds of no type": manifest(seeds={"training": [[n] for n in range(20_000)], "generation": [1]}),
    "judges that are objects": manifest(evaluations=_evaluations(judges=[{"a": n} for n in range(20_000)])),
    "3,000 variations": manifest(
        variations=[{"name": f"v{n}", "set": {"/engine/max_num_seqs": n + 1}} for n in range(3000)]
    ),
    "50,000 unknown fields": manifest(**{f"unknown{n}": n for n in range(50_000)}),
    "a kind of a million letters": manifest(evaluations=_evaluations(kind="x" * 1_000_000)),
    "200,000 values": manifest(description=[0] * 200_000),
    "a pointer of 100,000 levels": manifest(variations=[{"name": "v", "set": {"/a" * 100_000: 1}}]),
    "tokens beyond all numbers": manifest(evaluations=_evaluations(generation={"max_tokens": 10**300})),
    "a path that climbs out": manifest(model={**sample_manifest()["model"], "path": "../../etc"}),
    "an absolute path": manifest(model={**sample_manifest()["model"], "path": "/etc"}),
    "a file that climbs out": manifest(
        model={**sample_manifest()["model"], "files": {"../../../etc/passwd": "xxh3_128:" + "0" * 32}}
    ),
    "a name that is a path": manifest(name="../../climbed"),
    "an evaluation that is a path": manifest(evaluations={"../climbed": _evaluations()["unsafe"]}),
    "a repository that is a path": manifest(
        model={**sample_manifest()["model"], "path": None, "repo": "../..", "revision": "0" * 40}
    ),
}
"""Manifests that ask for endless work, or for what is not theirs."""
