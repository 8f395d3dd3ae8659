"""What could name the authors, left out for double-blind review (docs/redaction.md).

Everything here gives the same when it is done twice, so that a whole bundle can be compared with an anonymous one.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from kit.spec.chat.shipped import NAMES, file_name
from kit.spec.environment.compare import DECISIVE_PACKAGES, is_system_library
from kit.spec.environment.switches import ANYWHERE, ON_A_GPU

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kit.core.canonical import Json

NAME = "anonymous"
_OF_A_MODEL = re.compile(
    r"(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|adapter_config)\.json"
    r"|(merges|vocab)\.txt|tokenizer\.model|chat_template\.jinja"
    r"|(adapter_)?model(-\d+-of-\d+)?\.safetensors(\.index\.json)?"
    r"|" + "|".join(re.escape(file_name(name)) for name in NAMES)
)
"""What the files of every model are called, and the templates that the kit ships."""
_BUILD = re.compile(r"cpu|cu\d+|rocm[\d.]+|xpu")
"""Local versions that say for which hardware a package was built, and nothing of who built it."""
_SWITCH = re.compile(r"[A-Za-z0-9:.,_-]{0,20}")


def anonymous_manifest(document: dict[str, Json]) -> dict[str, Json]:
    """Return a manifest without name, description, remarks and credit, its paths and file names replaced by numbers.

    Args:
        document: as `Manifest.to_json` gives it.
    """
    named = list(_named(document))
    paths = _numbered({name for kind, name in named if kind == "path"}, "path")
    files = _numbered({name for kind, name in named if kind == "file"}, "file")
    renamed = _renamed(document, paths, files)
    assert isinstance(renamed, dict)
    environment = document["environment"]
    assert isinstance(environment, dict)
    renamed.pop("credit", None)
    return {**renamed, "name": NAME, "description": "", "environment": anonymous_environment(environment)}


def anonymous_environment(record: Mapping[str, Json]) -> dict[str, Json]:
    """Return of an environment what decides results: no package of one's own, no kernel, registry or path."""
    kept = dict(record)
    kept["packages"] = _members(record, "packages", lambda name: name in DECISIVE_PACKAGES, _public_version)
    kept["switches"] = _members(record, "switches", lambda name: name in {*ANYWHERE, *ON_A_GPU}, _plain_switch)
    for name in ("image", "base_image"):
        if isinstance(image := record.get(name), str):
            kept[name] = image.rpartition("@")[2] if "sha256:" in image else None
    platform = record.get("platform")
    if isinstance(platform, dict) and isinstance(system := platform.get("system"), str):
        kept["platform"] = {**platform, "system": system.partition(" ")[0]}
    if "system_packages" in record:
        kept["system_packages"] = _members(record, "system_packages", is_system_library, lambda version: version)
    return kept


def _members(
    record: Mapping[str, Json], field: str, may_stay: Callable[[str], bool], shown: Callable[[Json], Json]
) -> dict[str, Json]:
    value = record.get(field)
    return {name: shown(one) for name, one in value.items() if may_stay(name)} if isinstance(value, dict) else {}


def _public_version(version: Json) -> Json:
    public, plus, local = str(version).partition("+")
    return f"{public}{plus}{local}" if _BUILD.fullmatch(local) else public


def _plain_switch(value: Json) -> Json:
    return value if _SWITCH.fullmatch(str(value)) else ""


def _numbered(names: set[str], stem: str) -> dict[str, str]:
    """Return a neutral name for each, in an order that stays: data are read in the order of their files' names."""
    others = sorted(name for name in names if not _OF_A_MODEL.fullmatch(name))
    width = len(str(len(others)))
    return {name: f"{stem}-{number:0{width}}{_suffix(name)}" for number, name in enumerate(others, 1)}


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,11}", suffix) else ""


def _named(value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a document has any shape
    """Yield every path and every file's name of a manifest, each with which it is, those in variations included."""
    if isinstance(value, dict):
        for key, item in value.items():
            parent, _, last = str(key).rpartition("/")
            if last == "path" and isinstance(item, str):
                yield "path", item
            elif last == "files" and isinstance(item, dict):
                yield from (("file", name) for name in item)
            elif parent.endswith("/files"):
                yield "file", _unescaped(last)
            else:
                yield from _named(item)
    elif isinstance(value, list):
        for item in value:
            yield from _named(item)


def _renamed(value: Any, paths: Mapping[str, str], files: Mapping[str, str]) -> Json:  # noqa: ANN401
    """Return a document, or the patch of a variation, with its paths and file names replaced."""
    if isinstance(value, list):
        return [_renamed(item, paths, files) for item in value]
    if not isinstance(value, dict):
        return value  # type: ignore[no-any-return]
    found: dict[str, Json] = {}
    for key, item in value.items():
        parent, slash, last = str(key).rpartition("/")
        if last == "path" and isinstance(item, str):
            found[key] = paths.get(item, item)
        elif last == "files" and isinstance(item, dict):
            found[key] = {files.get(name, name): digest for name, digest in item.items()}
        elif parent.endswith("/files"):
            found[f"{parent}{slash}{files.get(_unescaped(last), last)}"] = item
        else:
            found[key] = _renamed(item, paths, files)
    return found


def _unescaped(token: str) -> str:
    """Return a token of a JSON pointer as it reads (RFC 6901 section 4)."""
    return token.replace("~1", "/").replace("~0", "~")
