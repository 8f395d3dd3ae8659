"""`kit environment`."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.differences import difference_line
from kit.cli.present import errors_as_json, json_option, show_json
from kit.core.errors import OperationalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from kit.core.canonical import Json
    from kit.spec.environment.compare import Difference
    from kit.spec.environment.lock import Deviation

    Environment = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a run would find here and no record holds: the user's folders, and what is free."""

    signing_key: str | None
    """Where it is, or where the first run would make it; None without a home."""
    signing_key_exists: bool
    hub_folder: str | None
    folder: str
    free_disk_mib: int
    free_memory_mib: int


@click.command("environment")
@click.argument("manifest", required=False, type=click.Path(path_type=Path, dir_okay=False))
@json_option
@click.pass_context
def command(ctx: click.Context, manifest: Path | None, *, as_json: bool) -> None:
    """Show this environment, or how it differs from a manifest's.

    Software, hardware and image as a run would record them, whether the installed packages are those of the lock, and
    where keys and downloads are. With MANIFEST, also how this environment differs from the pinned one, what moves
    results most first; then the exit code is 1 where they differ.
    """
    with errors_as_json(as_json=as_json):
        pinned = _pinned(manifest) if manifest else None
        here, differences = _here(pinned)
        deviations, surroundings = _deviations(here), _surroundings()
    if as_json:
        unlike: list[Json] = [{"field": one.field, "pinned": one.first, "here": one.second} for one in differences]
        document: dict[str, Json] = {"ok": not differences, "environment": here, "surroundings": asdict(surroundings)}
        off = None if deviations is None else [asdict(one) for one in deviations]
        show_json({**document, "lock_deviations": off, "differences": unlike if pinned else None})  # type: ignore[dict-item]
        ctx.exit(int(bool(differences)))
    for name, value in _lines(here, deviations, surroundings):
        click.echo(f"{name:<14} {value}")
    for deviation in deviations or ():
        click.echo(f"not as locked: {deviation}", err=True)
    if pinned:
        click.echo(f"\n{'differs from' if differences else 'is the environment of'} {manifest}")
        for one in differences:
            click.echo(difference_line(one))
    ctx.exit(int(bool(differences)))


def _pinned(manifest: Path) -> Environment:
    from kit.spec.manifest.load import load_manifest

    return load_manifest(manifest).manifest.environment


def _here(pinned: Environment | None) -> tuple[dict[str, Json], list[Difference]]:
    from kit.cli.environ import environment
    from kit.spec.environment.compare import differences

    if pinned is None:
        return environment(), []
    here = environment(pinned["switches"])  # type: ignore[arg-type]  # the schema guards it
    return here, differences(pinned, here)


def _deviations(here: Environment) -> list[Deviation] | None:
    """Return what is not as locked; None where there is no lock to hold it against."""
    from kit.spec.environment.lock import deviations, lock_file

    path = lock_file()
    return None if path is None else deviations(path.read_text(encoding="utf-8"), _strings(here, "packages"))


def _surroundings() -> _Surroundings:
    from kit.cli.environ import IN_AGENT, config_folder, hub_folder, named_key
    from kit.spec.environment.hardware import available_memory_mib

    usual = _or_none(lambda: config_folder() / "signing_key")
    key = named_key() or (str(usual) if usual else None)
    downloads = _or_none(hub_folder)
    return _Surroundings(
        signing_key=key,
        signing_key_exists=key is not None and (key.startswith(IN_AGENT) or Path(key).exists()),
        hub_folder=str(downloads) if downloads else None,
        folder=str(Path.cwd()),
        free_disk_mib=shutil.disk_usage(Path.cwd()).free >> 20,
        free_memory_mib=available_memory_mib(),
    )


def _lines(
    here: Environment, deviations: list[Deviation] | None, surroundings: _Surroundings
) -> Iterator[tuple[str, str]]:
    from kit.spec.environment.compare import DECISIVE_PACKAGES

    packages, platform = _strings(here, "packages"), here["platform"]
    assert isinstance(platform, dict)
    decisive = [f"{name} {packages[name]}" for name in DECISIVE_PACKAGES if name in packages]
    yield "python", str(here["python"])
    yield "packages", ", ".join([*decisive, f"{len(packages)} in all (--json lists them)"])
    yield "lock", _lock(here, deviations)
    yield "image", str(here["image"] or ("not told: pass KIT_IMAGE" if here["base_image"] else "none"))
    if here["base_image"]:
        yield "base image", f"{here['base_image']}, {len(_strings(here, 'system_packages'))} system packages"
    yield "system", f"{platform['system']}, {platform['c_library']}"
    units = platform["vector_extensions"]
    assert isinstance(units, list)
    yield "processor", f"{platform['cpu']} ({platform['machine']}; {', '.join(map(str, units)) or 'no vector units'})"
    yield "cores", str(platform["cores"])
    yield "memory", f"{platform['memory_mib']} MiB, {surroundings.free_memory_mib} MiB free"
    yield from _accelerators(here)
    yield "switches", " ".join(f"{name}={value}" for name, value in _strings(here, "switches").items())
    made = "" if surroundings.signing_key_exists else " (not there; kit keygen makes one, and so does the first run)"
    yield "signing key", f"{surroundings.signing_key}{made}" if surroundings.signing_key else "no home to keep one in"
    yield "Hub downloads", surroundings.hub_folder or "no home to keep them in"
    yield "disk", f"{surroundings.free_disk_mib} MiB free in {surroundings.folder}"


def _lock(here: Environment, deviations: list[Deviation] | None) -> str:
    from kit.spec.environment.image import image_contents

    if deviations is None:
        return "none: installed by other means than locks/install.sh or the image"
    contents = image_contents()
    name = f"{contents.lock}, " if contents else ""
    return f"{name}{here['lock']}, {'kept' if not deviations else f'not kept: {len(deviations)} packages deviate'}"


def _accelerators(here: Environment) -> Iterator[tuple[str, str]]:
    found = here["accelerators"]
    assert isinstance(found, list)
    if not found:
        yield "accelerators", "none"
    for one in found:
        assert isinstance(one, dict)
        yield "accelerator", f"{one['model']}, {one['memory_mib']} MiB, driver {one['driver']}, CUDA {one['cuda']}"


def _strings(here: Environment, field: str) -> dict[str, str]:
    value = here[field]
    assert isinstance(value, dict)
    return {name: str(item) for name, item in value.items()}


def _or_none(find: Callable[[], Path]) -> Path | None:
    try:
        return find()
    except OperationalError:
        return None
