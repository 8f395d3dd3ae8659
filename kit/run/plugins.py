"""What of a run came from outside the kit: which distributions gave a judge or a format, and in which version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit.core.plugins import is_plugin, origin
from kit.spec.judges import find_kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kit.core.canonical import Json
    from kit.spec.manifest.model import Manifest


def plugins_record(manifest: Manifest, judges: Iterable[str]) -> dict[str, Json]:
    """Return the `plugins` part of a record: empty where all is the kit's own.

    Args:
        manifest: what is run.
        judges: the names of the judges that judge.
    """
    kinds: dict[str, Json] = {}
    for kind in sorted({manifest.judges[name].kind for name in judges}):
        found = find_kind(kind) if is_plugin(kind) else None
        if found:
            words: dict[str, Json] = {"method": found.method, "caveat": found.caveat}
            kinds[kind] = _origin(kind) | words
    formats: dict[str, Json] = {
        one.format: _origin(one.format) for one in manifest.data.values() if is_plugin(one.format)
    }
    parts: dict[str, Json] = {"judges": kinds, "formats": formats}
    used: dict[str, Json] = {name: part for name, part in parts.items() if part}
    return {"plugins": used} if used else {}


def _origin(name: str) -> dict[str, Json]:
    found = origin(name)
    assert found is not None, "what judged or read is installed"
    return {"distribution": found.distribution, "version": found.version}
