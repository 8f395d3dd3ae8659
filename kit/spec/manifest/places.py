"""Where the files of a manifest's sources lie on this machine: the one place that knows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kit.core.digest_cache import Digests
from kit.core.errors import OperationalError
from kit.core.paths import inside
from kit.spec.chat import shipped

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kit.spec.manifest.parts import Source


@dataclass(frozen=True, slots=True)
class Places:
    """A manifest's own folder, and the Hub's cache."""

    root: Path
    """The folder that all paths in the manifest are relative to."""
    cache: Path | None = None
    """Where the Hub's client keeps what it has downloaded; None where there is no place for that."""
    digests: Digests = field(default_factory=Digests)

    def folder(self, source: Source) -> Path:
        """Return the folder of a source; one in the Hub's cache may hold more than the files that are named.

        Raises:
            UnsafePathError: it would lie outside of the manifest's folder or of the cache.
        """
        if source.shipped is not None:
            return shipped.FOLDER
        if source.repository is None:
            return inside(self.root, source.path or "")
        cache = self._cache(source)
        return inside(cache, source.repository.folder(cache, source.revision).relative_to(cache).as_posix())

    def file(self, source: Source, name: str) -> Path:
        """Return one file of a source.

        Raises:
            UnsafePathError: it would lie outside of the manifest's folder or of the cache.
        """
        if source.shipped is not None:
            return inside(shipped.FOLDER, name)
        if source.repository is None:
            return inside(self.root, source.path or "", name)
        # The client's files are links to others in its cache.
        cache = self._cache(source)
        return inside(cache, source.repository.folder(cache, source.revision).relative_to(cache).as_posix(), name)

    def whole(self, source: Source, scratch: Path) -> Path:
        """Return a folder that holds the named files of a source and nothing else, for who reads a folder as a whole.

        Args:
            source: files that have been checked.
            scratch: where such a folder is made, of links: beside the files there may be others that a model's loader
                would prefer, and that nobody has pinned.
        """
        for name in source.files:
            link, target = scratch / name, self.file(source, name).resolve()
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink() or link.readlink() != target:
                link.unlink(missing_ok=True)
                link.symlink_to(target)
        return scratch.resolve()

    def digests_of(self, source: Source, names: Iterable[str]) -> dict[str, str]:
        """Return the digests of files that are there.

        Raises:
            OperationalError: a file cannot be read.
        """
        listed = [*names]
        return dict(zip(listed, self.digests.of(self.file(source, name) for name in listed), strict=True))

    def _cache(self, source: Source) -> Path:
        if self.cache is None:
            raise OperationalError.of(
                source.name, "lies on the Hub, and there is no place for its files", "set HF_HOME"
            )
        return self.cache
