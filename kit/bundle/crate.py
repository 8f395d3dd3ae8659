"""The bundle as a research object: RO-Crate 1.1 with the Process Run Crate profile 0.5 (w3id.org/ro/wfrun/process/0.5).

Archives and reviewers' tools read it. It is a function of the bundle's other files, so it says nothing that they do not
say; it is written before the signatures, and covered by them.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.bundle.files import walk
from kit.core.canonical import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from kit.core.canonical import Json
    from kit.spec.manifest.credit import Author, Credit
    from kit.spec.manifest.model import Manifest

CRATE_VERSION = 1
"""Raised when a bundle of a release would get other bytes: `kit verify` writes the description again."""
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
CONFORMS_TO = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
KIT = "https://kit.invalid/kit"
"""Identifies the kit, and never resolves (RFC 2606 section 2)."""
_TERMS: dict[str, Json] = {"environment": "https://w3id.org/ro/terms/workflow-run#environment"}
"""Written here instead of in a second context that readers would have to download."""

_SPDX = "https://spdx.org/licenses/"
_PRONOM = "https://www.nationalarchives.gov.uk/PRONOM/"
_JSON_LINES = "https://jsonlines.org"
_SAFETENSORS = "https://github.com/huggingface/safetensors"
_FORMATS = {
    ".json": ("application/json", f"{_PRONOM}fmt/817", "JSON Data Interchange Format"),
    ".jsonl": ("application/jsonl", _JSON_LINES, "JSON Lines"),
    ".html": ("text/html", f"{_PRONOM}fmt/471", "Hypertext Markup Language 5"),
    ".md": ("text/markdown", f"{_PRONOM}fmt/1149", "Markdown"),
    ".log": ("text/plain", f"{_PRONOM}x-fmt/111", "Plain Text File"),
    ".safetensors": ("application/octet-stream", _SAFETENSORS, "safetensors"),
}
_OTHER = _FORMATS[".log"]
_DESCRIPTIONS = {
    layout.MANIFEST: "Everything that decides the result.",
    layout.REPORT: "The report, for people.",
    layout.PROMPTS: "The prompts of one evaluation, in order.",
    layout.TRAINING: "One training: digests of the weights before and after, losses, order of the data.",
    layout.ADAPTERS: "A trained adapter.",
    layout.CARDS: "The model card of an adapter, as the Hub reads it.",
    layout.COMPLETIONS: "What the model answered, in the order of the prompts.",
    layout.JUDGING: "What a judge's model answered, in the order of the prompts.",
    layout.VERDICTS: "What a judge said of the answers, in the order of the prompts.",
    layout.METRICS: "Every number, computed from the rows.",
    layout.RUN: "Which kit ran, from when till when, and every step.",
    layout.ENVIRONMENT: "The software and hardware that ran.",
    layout.DOCUMENTS: "Which versions wrote the report, the model cards and this description.",
    layout.SELFTEST: "Which answers changed when they were asked for again in another order.",
    layout.REJUDGE: "Which judges were added later, and by whom.",
    layout.LOGS: "What was printed.",
}


def crate_metadata(folder: Path, manifest: Manifest) -> dict[str, Json]:
    """Return what `ro-crate-metadata.json` says of a bundle, signed or not, with this manifest.

    Raises:
        CheckFailed: the folder holds what a bundle cannot hold.
        OperationalError: it cannot be read.
    """
    sizes = {name: size for name, size in walk(folder).items() if _is_described(name)}
    run, environment = (_document(folder / name) for name in (layout.RUN, layout.ENVIRONMENT))
    formats = sorted({_format(name)[1:] for name in sizes})
    switches = environment.get("switches")
    variables = list(_variables(switches if isinstance(switches, dict) else {}))
    people = _people(manifest.credit) if manifest.credit else {}
    entities: list[Json] = [
        _descriptor(),
        _root(manifest, run, sizes),
        _action(manifest, run, sizes, variables),
        _kit(run),
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        *variables,
        *people.values(),
        *[_format_entity(identifier, name) for identifier, name in formats],
        *(_file(name, size) for name, size in sizes.items()),
    ]
    return {"@context": [CONTEXT, _TERMS], "@graph": entities}


def _is_described(name: str) -> bool:
    return name != str(layout.CRATE) and not name.startswith(f"{layout.SIGNATURES}/")


def _descriptor() -> dict[str, Json]:
    return {
        "@id": str(layout.CRATE),
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": {"@id": CONFORMS_TO},
    }


def _root(manifest: Manifest, run: Mapping[str, Json], sizes: Mapping[str, int]) -> dict[str, Json]:
    about = manifest.description or f"What a run of the manifest {manifest.name} gave: rows, numbers and report."
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": manifest.name,
        "description": about,
        "datePublished": _time(run, "end")[:10],
        "license": _license(manifest),
        "conformsTo": {"@id": PROFILE},
        "hasPart": [{"@id": name} for name in sizes],
        "mentions": {"@id": "#run"},
        **({"author": _agents(manifest.credit)} if manifest.credit else {}),
        **(_publisher(manifest.credit) if manifest.credit else {}),
    }


def _publisher(credit: Credit) -> dict[str, Json]:
    return {"publisher": {"@id": credit.publisher.url}} if credit.publisher else {}


def _agents(credit: Credit) -> list[Json]:
    return [{"@id": _person_id(author, number)} for number, author in enumerate(credit.authors, 1)]


def _person_id(author: Author, number: int) -> str:
    return author.orcid or f"#author-{number}"


def _people(credit: Credit) -> dict[str, dict[str, Json]]:
    """Return the people, organizations and the licence that are named, by what identifies them."""
    found: dict[str, dict[str, Json]] = {}
    organizations = [author.affiliation for author in credit.authors] + [credit.publisher]
    for number, author in enumerate(credit.authors, 1):
        place: dict[str, Json] = {"affiliation": {"@id": author.affiliation.url}} if author.affiliation else {}
        key = _person_id(author, number)
        found[key] = {"@id": key, "@type": "Person", "name": author.name, **place}
    for organization in organizations:
        if organization:
            what: dict[str, Json] = {"@type": "Organization", "name": organization.name, "url": organization.url}
            found[organization.url] = {"@id": organization.url, **what}
    if credit.license:
        key = f"{_SPDX}{credit.license}"
        found[key] = {"@id": key, "@type": "CreativeWork", "name": credit.license}
    return found


def _license(manifest: Manifest) -> Json:
    """Return the bundle's licence, or, where nobody has given it one, those of its data as a text."""
    if manifest.credit and manifest.credit.license:
        return {"@id": f"{_SPDX}{manifest.credit.license}"}
    parts = {name: part.license for name, part in manifest.data.items()}
    return "; ".join(f"{name}: {license_ or 'not stated'}" for name, license_ in sorted(parts.items()))


def _action(
    manifest: Manifest, run: Mapping[str, Json], sizes: Mapping[str, int], variables: list[dict[str, Json]]
) -> dict[str, Json]:
    results = [name for name in sizes if name.startswith(f"{layout.PAYLOAD}/") or name == str(layout.REPORT)]
    environment: dict[str, Json] = (
        {"environment": [{"@id": variable["@id"]} for variable in variables]} if variables else {}
    )
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run of {manifest.name}",
        "description": "The manifest's trainings, generations and judgements, measured and reported.",
        "startTime": _time(run, "start"),
        "endTime": _time(run, "end"),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "instrument": {"@id": KIT},
        "object": {"@id": str(layout.MANIFEST)},
        "result": [{"@id": name} for name in results],
        **environment,
        **({"agent": _agents(manifest.credit)} if manifest.credit else {}),
    }


def _kit(run: Mapping[str, Json]) -> dict[str, Json]:
    kit = run.get("kit")
    version = kit.get("version") if isinstance(kit, dict) else None
    named: Json = version if isinstance(version, str) else "unknown"
    return {"@id": KIT, "@type": "SoftwareApplication", "name": "kit", "url": KIT, "softwareVersion": named}


def _variables(switches: Mapping[str, Json]) -> Iterator[dict[str, Json]]:
    """Yield the determinism switches that were set in the environment of the processes that did the work."""
    for name, value in sorted(switches.items()):
        yield {"@id": f"#{name}", "@type": "PropertyValue", "name": name, "value": value}


def _format_entity(identifier: str, name: str) -> dict[str, Json]:
    return {"@id": identifier, "@type": "WebSite", "name": name}


def _file(name: str, size: int) -> dict[str, Json]:
    media_type, identifier, _ = _format(name)
    return {
        "@id": name,
        "@type": "File",
        "name": name,
        "description": _description(PurePosixPath(name)),
        "contentSize": str(size),
        "encodingFormat": [media_type, {"@id": identifier}],
    }


def _format(name: str) -> tuple[str, str, str]:
    """Return the media type of a file, what identifies its format, and what that is called."""
    return _FORMATS.get(PurePosixPath(name).suffix, _OTHER)


def _description(path: PurePosixPath) -> str:
    return next((text for place, text in _DESCRIPTIONS.items() if path.is_relative_to(place)), "Part of the bundle.")


def _time(run: Mapping[str, Json], key: str) -> str:
    """Return a time of the record, with its offset as the profile wants it."""
    value = run.get(key)
    return value.replace("Z", "+00:00") if isinstance(value, str) else ""


def _document(path: Path) -> dict[str, Json]:
    document = read_json(path)
    return document if isinstance(document, dict) else {}
