"""The Hub through its own client, `huggingface_hub`, which knows its cache, its mirrors and how downloads go on."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from kit.core.errors import OperationalError
from kit.spec.hub.explain import explained
from kit.spec.hub.interface import DATASET, HubError, Listing, Repo, RepoFile, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from huggingface_hub.hf_api import RepoSibling

    Answer = TypeVar("Answer")

TRIES = 4
"""How often a question is asked that the Hub was too busy for; downloads have the client's own patience."""
LONGEST_WAIT_SECONDS = 120
TIMEOUT_SECONDS = 20


@dataclass(frozen=True, slots=True)
class HubClient:
    """The real Hub, or a mirror of it."""

    settings: Settings

    def listing(self, repo: Repo, revision: str) -> Listing:
        """Return a repository at a branch, tag or commit.

        Raises:
            HubError: there is none, it may not be seen, or the Hub does not answer.
            OperationalError: the client is not installed.
        """
        api = _library().HfApi(endpoint=self.settings.endpoint, token=self.settings.token or False)
        ask = api.dataset_info if repo.kind == DATASET else api.model_info
        info = self._asked(
            repo,
            revision,
            lambda: ask(repo.name, revision=revision, files_metadata=True, timeout=TIMEOUT_SECONDS),
        )
        if info.sha is None:
            raise HubError("the Hub does not say which commit this is", "look at HF_ENDPOINT: is it a whole mirror?")
        return Listing(info.sha, bool(info.gated), dict(_files(info.siblings or ())))

    def require_access(self, repo: Repo, commit: str, name: str) -> None:
        """Ask for the head of a file, as a download would.

        Raises:
            HubError: it may not be downloaded.
            OperationalError: the client is not installed.
        """
        library = _library()
        url = library.hf_hub_url(repo.name, name, repo_type=repo.kind, revision=commit, endpoint=self.settings.endpoint)
        self._asked(
            repo,
            commit,
            lambda: library.get_hf_file_metadata(
                url, token=self.settings.token or False, timeout=TIMEOUT_SECONDS, endpoint=self.settings.endpoint
            ),
        )

    def download(self, repo: Repo, commit: str, name: str, *, again: bool) -> None:
        """Put a file into the cache.

        Raises:
            HubError: it could not be downloaded.
            OperationalError: the client is not installed.
        """
        library = _library()
        self._asked(
            repo,
            commit,
            lambda: library.hf_hub_download(
                repo.name,
                name,
                repo_type=repo.kind,
                revision=commit,
                cache_dir=self.settings.cache,
                endpoint=self.settings.endpoint,
                token=self.settings.token or False,
                force_download=again,
            ),
        )

    def _asked(self, repo: Repo, revision: str, ask: Callable[[], Answer]) -> Answer:
        """Ask, and ask again where the Hub only wants time."""
        from httpx2 import HTTPError

        for last in (*(False,) * (TRIES - 1), True):
            try:
                return ask()
            # What the client raises: of HTTP, of files, and a ValueError around either.
            except (HTTPError, OSError, ValueError) as error:
                wait = None if last else _wait_seconds(error)
                if wait is None:
                    raise explained(error, repo, revision, self.settings) from error
                time.sleep(wait)
        raise AssertionError


def _library() -> ModuleType:
    """Import the Hub's client, which takes its time."""
    try:
        import huggingface_hub
    except ImportError as error:
        remedy = "use ./reproduce.sh or the container image, or pip install huggingface-hub"
        raise OperationalError.of(
            "this environment", "lacks huggingface-hub, which fetches from the Hub", remedy
        ) from error
    return huggingface_hub


def _files(siblings: Iterable[RepoSibling]) -> Iterable[tuple[str, RepoFile]]:
    for one in siblings:
        yield one.rfilename, RepoFile(one.size or 0, one.blob_id, one.lfs.sha256 if one.lfs else None)


def _wait_seconds(error: Exception) -> float | None:
    """Return how long to wait before the same question may be answered; None where waiting does not help."""
    from httpx2 import ReadError, ReadTimeout, RemoteProtocolError
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, RemoteProtocolError | ReadError | ReadTimeout):
        return 1.0
    if not isinstance(error, HfHubHTTPError) or error.response.status_code not in (429, 500, 502, 503, 504):
        return None
    said = error.response.headers.get("Retry-After", "1")
    wait = float(said) if said.isdigit() else 1.0
    return wait if wait <= LONGEST_WAIT_SECONDS else None
