"""A server on loopback that speaks the Hub's protocol, as far as its client asks, and fails where it is told to."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LARGE = 1 << 16
"""From here on a file is listed with its SHA-256, as git LFS holds it."""
_INFO = re.compile(r"/api/(?P<kind>model|dataset)s/(?P<repo>[^/]+/[^/]+)/revision/(?P<revision>.+)")
_FILE = re.compile(r"(?P<kind>/datasets)?/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<name>.+)")


@dataclass
class Repository:
    """What one repository has: one commit, and branches that point to it."""

    files: dict[str, bytes]
    commit: str
    branches: tuple[str, ...] = ("main",)
    gated: bool = False
    private: bool = False
    readers: set[str] = field(default_factory=set)
    """Tokens whose account has accepted the terms, or may see what is private."""


@dataclass
class Fault:
    """Something that goes wrong so many times, with the first requests of this method whose address holds a text."""

    kind: str
    """`busy`, `down`, `cut`, `wrong` (same length, other bytes) or `short` (less than is announced, properly ended)."""
    method: str = "GET"
    address: str = "/resolve/"
    times: int = 1


@dataclass
class HubServer:
    """The server's state, which a test changes at will."""

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    """By kind and name."""
    tokens: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    port: int = 0
    lock: Lock = field(default_factory=Lock)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def publish(self, kind: str, name: str, files: Mapping[str, bytes]) -> Repository:
        content = json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())})
        repository = Repository(dict(files), hashlib.sha1(content.encode()).hexdigest())
        self.repositories[kind, name] = repository
        return repository

    def fault(self, method: str, path: str) -> str | None:
        with self.lock:
            self.requests.append(f"{method} {path}")
            for fault in self.faults:
                if fault.times and fault.method == method and fault.address in path:
                    fault.times -= 1
                    return fault.kind
        return None


def folder_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Serve until the block ends."""
    state = HubServer()

    class Bound(_Handler):
        hub = state

    with ThreadingHTTPServer(("127.0.0.1", 0), Bound) as server:
        server.daemon_threads = True
        state.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code, self.message = status, code, message


class _Handler(BaseHTTPRequestHandler):
    hub: ClassVar[HubServer]
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Keep the tests quiet."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        try:
            self._page(path, self.hub.fault(self.command, path))
        except _RefusedError as error:
            body = json.dumps({"error": error.message}).encode()
            headers = {"X-Error-Message": error.message, "Content-Type": "application/json", "Retry-After": "0"}
            self._send(error.status, body, headers | ({"X-Error-Code": error.code} if error.code else {}))

    def _page(self, path: str, fault: str | None) -> None:
        if fault in ("busy", "down"):
            raise _RefusedError(429 if fault == "busy" else 503, "", "later")
        if match := _INFO.fullmatch(path):
            repository = self._repository(match["kind"], match["repo"], match["revision"])
            info = json.dumps(_info(match["kind"], match["repo"], repository)).encode()
            self._send(200, info, {"Content-Type": "application/json"})
        elif match := _FILE.fullmatch(path):
            kind = "dataset" if match["kind"] else "model"
            self._file(self._repository(kind, match["repo"], match["revision"]), match["name"], fault)
        else:
            raise _RefusedError(404, "", "no such page")

    def _repository(self, kind: str, name: str, revision: str) -> Repository:
        token = self._token()
        repository = self.hub.repositories.get((kind, name))
        if repository is None or (repository.private and token not in repository.readers):
            raise _RefusedError(404 if token else 401, "RepoNotFound", "Repository not found")
        if revision not in (repository.commit, *repository.branches):
            raise _RefusedError(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return repository

    def _token(self) -> str | None:
        said = self.headers.get("Authorization")
        token = said.removeprefix("Bearer ") if said else None
        if token and token not in self.hub.tokens:
            raise _RefusedError(401, "", "Invalid credentials in Authorization header")
        return token

    def _file(self, repository: Repository, name: str, fault: str | None) -> None:
        token = self._token()
        if repository.gated and token not in repository.readers:
            raise _RefusedError(403 if token else 401, "GatedRepo", "Access to this repository is restricted")
        if name not in repository.files:
            raise _RefusedError(404, "EntryNotFound", "Entry not found")
        data = repository.files[name]
        headers = {"ETag": f'"{_etag(data)}"', "X-Repo-Commit": repository.commit, "Accept-Ranges": "bytes"}
        status, start = 200, 0
        if wanted := self.headers.get("Range"):
            self.hub.ranges.append(wanted)
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            status, headers["Content-Range"] = 206, f"bytes {start}-{len(data) - 1}/{len(data)}"
        if fault == "wrong":
            data = bytes(byte ^ 1 for byte in data)
        if fault == "short":
            data = data[: len(data) // 2]
        self._send(status, data[start:], headers, cut=fault == "cut")

    def _send(self, status: int, body: bytes, headers: Mapping[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True


def _info(kind: str, name: str, repository: Repository) -> dict[str, object]:
    siblings = [_sibling(file, data) for file, data in sorted(repository.files.items())]
    gated = "auto" if repository.gated else False
    about = {"id": name, "sha": repository.commit, "gated": gated, "private": repository.private, "siblings": siblings}
    return about | {"tags": [], "downloads": 0, "likes": 0, **({"modelId": name} if kind == "model" else {})}


def _sibling(name: str, data: bytes) -> dict[str, object]:
    one: dict[str, object] = {"rfilename": name, "size": len(data), "blobId": _git_sha1(data)}
    if len(data) >= LARGE:
        one["lfs"] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "pointerSize": 134}
    return one


def _etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest() if len(data) >= LARGE else _git_sha1(data)


def _git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
