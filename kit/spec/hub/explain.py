"""What an error of the Hub's client means to whoever wrote the manifest, and what to do about it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from kit.spec.hub.interface import HubError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

    from kit.spec.hub.interface import Repo, Settings

UNAUTHORIZED = 401
_BY_STATUS = {
    UNAUTHORIZED: ("the Hub does not know this token", "it may have expired: {token}"),
    403: ("the token may not read it", "a token must be allowed to read it: {token}"),
    429: ("the Hub says that too many requests come from here", "wait a while; a token has a higher limit"),
}
"""HTTP status → what is the matter, and what to do."""


def explained(error: Exception, repo: Repo, revision: str, settings: Settings) -> HubError:
    """Return what an error of the client means."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    # The client wraps what happened: "force download failed due to the above error".
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, HfHubHTTPError):
            return _refused(found, repo, revision, settings)
        if isinstance(found, OfflineModeIsEnabled):
            return offline()
        if reason := _unreachable(found):
            remedy = "check the network, the proxy and HF_ENDPOINT; what is in the cache needs none of them"
            return HubError(f"{settings.endpoint} cannot be reached ({reason})", remedy)
        if isinstance(found, OSError) and found.errno:
            remedy = "free some, or name a larger disk with HF_HOME" if found.errno == errno.ENOSPC else ""
            return HubError(f"{settings.cache} cannot be written to ({found.strerror})", remedy or "look at HF_HOME")
        found = found.__cause__
    first = str(error).partition("\n")[0]
    return HubError(f"the Hub did not give it ({first or type(error).__name__})", "try again")


def offline() -> HubError:
    """Return what is said where nothing may be asked."""
    return HubError("the Hub may not be asked (HF_HUB_OFFLINE)", "run `kit fetch` where there is a network")


def _unreachable(error: BaseException) -> str:
    """Return why nothing answered, or nothing if something did."""
    from httpx2 import RequestError

    if not isinstance(error, RequestError):
        return ""
    return str(error).partition("\n")[0] or type(error).__name__


def _refused(error: HfHubHTTPError, repo: Repo, revision: str, settings: Settings) -> HubError:
    """Return what the Hub's refusal means: by the error's kind, else by its HTTP status."""
    from huggingface_hub import errors

    page, status = f"{settings.endpoint}/{repo.page}", error.response.status_code
    if isinstance(error, errors.GatedRepoError):
        return _gated(page, settings)
    if isinstance(error, errors.RevisionNotFoundError):
        remedy = f"its commits are at {page}/commits/main"
        return HubError(f"there is no revision {revision!r}", remedy, of_revision=True)
    if isinstance(error, errors.RemoteEntryNotFoundError):
        return HubError("a file is not there", f"its files are at {page}/tree/{revision}")
    is_unknown_token = status == UNAUTHORIZED and "credential" in str(error).lower()
    if not is_unknown_token and (isinstance(error, errors.RepositoryNotFoundError) or status == UNAUTHORIZED):
        return _unseen(repo, settings)
    what, remedy = _BY_STATUS.get(status, (f"the Hub answered with status {status}", "try again later"))
    return HubError(what, remedy.format(token=_token(settings)))


def _gated(page: str, settings: Settings) -> HubError:
    if settings.token is None:
        return HubError("is gated and there is no Hub token", f"accept its terms at {page}, {_token(settings)}")
    remedy = f"accept its terms at {page}, and wait where its owner grants access by hand"
    return HubError("is gated and the token's account has no access", remedy)


def _unseen(repo: Repo, settings: Settings) -> HubError:
    """Return what is said of a repository that the Hub does not show: it does not tell private from missing."""
    what = f"there is no such {repo.kind} repository on the Hub"
    if settings.token is None:
        remedy = f"check the name; if it is private, {_token(settings)}"
        return HubError(f"{what}, or it is private and there is no token", remedy)
    return HubError(f"{what}, or the token may not see it", "check the name, and what the token may read")


def _token(settings: Settings) -> str:
    return f"make a token at {settings.endpoint}/settings/tokens, then export HF_TOKEN=…"
