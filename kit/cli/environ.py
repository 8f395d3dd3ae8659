"""What the process environment tells: the one place where the kit reads it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.core.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.bundle.signing.interface import Signer
    from kit.bundle.signing.keys import KeySigner
    from kit.core.canonical import Json
    from kit.review.redact.commitment import RedactionKey
    from kit.spec.hub.client import HubClient
    from kit.spec.manifest.places import Places

IMAGE_VARIABLE = "KIT_IMAGE"
"""Digest of the container image, set when the container is started."""
KEY_VARIABLE = "KIT_SIGNING_KEY"
"""The signing key, as `--key` takes it."""
AGENT_VARIABLE = "SSH_AUTH_SOCK"
"""Path of the socket of the user's SSH agent."""
IN_AGENT = "agent:"
"""Stands before the fingerprint of a key that the SSH agent holds."""


def environment(switches: Mapping[str, str] | None = None) -> dict[str, Json]:
    """Return this machine's environment record, with a manifest's switches or the kit's own.

    Raises:
        OperationalError: KIT_IMAGE is no digest.
    """
    from kit.spec.environment.image import is_image_digest
    from kit.spec.environment.record import record_environment

    image = os.environ.get(IMAGE_VARIABLE) or None
    if image and not is_image_digest(image):
        what = f"{image!r} is not an image's digest, sha256: and 64 small hexadecimal digits"
        remedy = f'docker run -e {IMAGE_VARIABLE}="$(docker image inspect --format {{{{.Id}}}} IMAGE)" …'
        raise OperationalError.of(IMAGE_VARIABLE, what, remedy)
    return record_environment(image=image, visible_devices=visible_devices(), pinned_switches=switches)


def visible_devices() -> str | None:
    """Return the accelerators that may be used; None for all."""
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def inherited_variables() -> dict[str, str]:
    """Return the process environment, of which a worker inherits a little."""
    return dict(os.environ)


def config_folder() -> Path:
    """Return the user's own configuration folder for the kit (XDG Base Directory).

    Raises:
        OperationalError: the user has no home.
    """
    return _users_folder("XDG_CONFIG_HOME", ".config") / "kit"


def hub_folder() -> Path:
    """Return the folder of what was downloaded from the Hub, where its own library looks for it.

    Raises:
        OperationalError: the user has no home.
    """
    named = os.environ.get("HF_HOME")
    return Path(named) if named else _users_folder("XDG_CACHE_HOME", ".cache") / "huggingface"


def places(root: Path) -> Places:
    """Return where the files of a manifest with this folder lie, and what is remembered of large ones."""
    from kit.core.digest_cache import Digests
    from kit.spec.manifest.places import Places

    cache = memory = None
    with suppress(OperationalError):  # who has no home can do without either
        cache = _hub_cache()
        memory = _users_folder("XDG_CACHE_HOME", ".cache") / "kit" / "digests.json"
    return Places(root, cache, Digests(memory))


def hub() -> HubClient | None:
    """Return the Hub, or its mirror, as its own client's variables name it; None where its files have no place."""
    from kit.spec.hub.client import HubClient
    from kit.spec.hub.interface import Settings

    try:
        cache = _hub_cache()
    except OperationalError:
        return None
    endpoint = os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    return HubClient(Settings(endpoint.rstrip("/"), _hub_token(), cache, offline))


def _hub_cache() -> Path:
    named = os.environ.get("HF_HUB_CACHE")
    return Path(named) if named else hub_folder() / "hub"


def _hub_token() -> str | None:
    """Return the token from HF_TOKEN, or from the file that logging in writes."""
    said = os.environ.get("HF_TOKEN", "")
    if not said:
        path = Path(os.environ.get("HF_TOKEN_PATH") or hub_folder() / "token")
        try:
            said = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            said = ""
    return said.strip() or None


def named_key() -> str | None:
    """Return the signing key that KIT_SIGNING_KEY names."""
    return os.environ.get(KEY_VARIABLE) or None


def signer(key: str | None) -> Signer:
    """Return the signer: `--key`, else KIT_SIGNING_KEY, else the user's own key, which is made if there is none.

    A key is named by its file, or, where the SSH agent holds it, by its `.pub` file or as `agent:SHA256:…`.

    Raises:
        OperationalError: the key cannot be read or made, or the agent does not hold it.
        CheckFailed: the file is no key that the kit can sign with.
    """
    from kit.bundle.signing.keys import load_private_key, read_public_key
    from kit.bundle.signing.public_key import fingerprint
    from kit.cli.place import require_mounted

    named = key or named_key()
    if named and named.startswith(IN_AGENT):
        return _in_agent(named.removeprefix(IN_AGENT))
    if named:
        path = Path(named)
        require_mounted(path)
        if public_key := read_public_key(path):
            return _in_agent(fingerprint(public_key))
    else:
        path = config_folder() / "signing_key"
        if not path.exists():
            made = _new_key(path)
            click.echo(f"made a signing key for you: {path} ({fingerprint(made.public_key)}); {_keep(path)}", err=True)
            return made
    try:
        return load_private_key(path)
    except OperationalError as error:
        is_encrypted = any("is encrypted" in problem.what for problem in error.problems)
        if not is_encrypted or not sys.stdin.isatty():
            raise
    passphrase = click.prompt(f"passphrase of {path}", hide_input=True, err=True)
    return load_private_key(path, passphrase.encode())


def redaction_key(path: Path | None) -> RedactionKey:
    """Return the redaction key: the one that is named, else the user's own; it is made where there is none.

    Raises:
        OperationalError: the key cannot be read or made.
        CheckFailed: the file is no redaction key.
    """
    from kit.review.redact.key import make_redaction_key, read_redaction_key

    place = path or config_folder() / "redaction_key"
    if place.exists():
        return read_redaction_key(place)
    made = make_redaction_key(place)
    click.echo(f"made a redaction key for you: {place}; keep it, and to yourself: it opens what is withheld", err=True)
    return made


def _in_agent(wanted: str) -> Signer:
    from kit.bundle.signing.agent import agent_signer

    path = os.environ.get(AGENT_VARIABLE)
    if not path:
        remedy = "start an agent and add the key: eval $(ssh-agent); ssh-add"
        raise OperationalError.of(AGENT_VARIABLE, "is not set, so there is no SSH agent to sign with", remedy)
    return agent_signer(Path(path), wanted)


def _users_folder(variable: str, default: str) -> Path:
    try:
        return Path(os.environ.get(variable) or Path.home() / default)
    except RuntimeError as error:
        remedy = "set it; a signing key can also be named with --key"
        raise OperationalError.of("HOME", "is not set, so there is no place for what is yours", remedy) from error


def _new_key(path: Path) -> KeySigner:
    from kit.bundle.signing.keys import generate_key

    try:
        return generate_key(path, "kit")
    except OperationalError as error:
        remedy = "name a key of yours with --key"
        raise OperationalError(replace(one, remedy=one.remedy or remedy) for one in error.problems) from error


def _keep(path: Path) -> str:
    """Return how a key that was just made is kept."""
    from kit.cli.place import AS_YOU
    from kit.spec.environment.image import in_image
    from kit.spec.environment.mounts import outlives_container

    if not in_image() or outlives_container(path):
        return "keep it"
    mount = f'-v "$HOME/.config/kit/signing_key:/key:ro" -e {KEY_VARIABLE}=/key'
    return f"it goes with the container; to sign with one of yours: docker run {AS_YOU} {mount} …"
