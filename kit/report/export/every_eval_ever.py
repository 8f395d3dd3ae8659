"""Documents of the Every Eval Ever schema 0.3.0, one for each arm (github.com/evaleval/every_eval_ever).

A field of the schema that a bundle does not answer is left out or says `unknown`: nothing is guessed.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import TYPE_CHECKING

from kit.bundle import layout
from kit.core.canonical import canonical_json
from kit.core.cells import BASE
from kit.core.errors import CheckFailed
from kit.report.export.every_eval_ever_results import evaluation_results
from kit.report.results import Results
from kit.spec.backends import engines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kit.bundle.contents import Contents
    from kit.core.canonical import Json
    from kit.spec.manifest.model import Manifest

SCHEMA_VERSION = "0.3.0"


def documents(contents: Contents, metrics: dict[str, Json], results_digest: str, organization: str) -> dict[str, str]:
    """Return each arm's document by the name of its file; `organization` reports the results.

    Raises:
        CheckFailed: the bundle's record does not say when its run ended, which the schema wants to know.
    """
    results = Results(contents.manifest, metrics)
    manifest = contents.manifest
    ended = _ended(contents)
    texts = {}
    for arm in sorted(contents.arms, key=results.arm_order):
        varied = contents.arms[arm]
        model = _model(arm, varied, contents, organization)
        document = {
            "schema_version": SCHEMA_VERSION,
            "evaluation_id": f"{manifest.name}/{model['id']}/{arm}/{ended}",
            "evaluation_timestamp": ended,
            "retrieved_timestamp": ended,
            "source_metadata": _source(varied, arm, organization, manifest, results_digest),
            "eval_library": {"name": "kit", "version": _kit_version(contents)},
            "model_info": model,
            "evaluation_results": [*evaluation_results(arm, varied, contents, results)],
        }
        texts[f"{arm}.json"] = json.dumps(document, indent=2) + "\n"
    return texts


def _ended(contents: Contents) -> str:
    """Return the end of the run in seconds since 1970, as the schema has times."""
    said = contents.run.get("end")
    try:
        moment = datetime.fromisoformat(said if isinstance(said, str) else "")
    except ValueError:
        moment = datetime.min  # noqa: DTZ901 - has no zone, as what is refused below
    if moment.tzinfo is None:
        raise CheckFailed.of(layout.RUN, "does not say when the run ended", "`kit verify` checks the bundle", "$.end")
    return str(int(moment.timestamp()))


def _kit_version(contents: Contents) -> str:
    kit = contents.run.get("kit")
    version = kit.get("version") if isinstance(kit, dict) else None
    return version if isinstance(version, str) else "unknown"


def _trained(arm: str, manifest: Manifest) -> bool:
    return arm != BASE and manifest.finetune is not None and manifest.finetune.training is not None


def _source(varied: Manifest, arm: str, organization: str, manifest: Manifest, results_digest: str) -> dict[str, Json]:
    return {
        "source_name": manifest.name,
        "source_type": "evaluation_run",
        "source_organization_name": organization,
        # Who trains a model and measures it is its developer; whose the base model is, the bundle does not say.
        "evaluator_relationship": "first_party" if _trained(arm, varied) else "other",
        "additional_details": {"results_digest": results_digest, "description": manifest.description},
    }


def _model(arm: str, manifest: Manifest, contents: Contents, organization: str) -> dict[str, Json]:
    base = manifest.model.source.origin
    finetune = None if arm == BASE else manifest.finetune
    details: dict[str, Json] = {
        "deployment_type": "self_deployed",
        "model_availability": "unknown",
        "arm": arm,
        **({"answers": "recorded"} if manifest.model.is_recorded else {"dtype": manifest.model.dtype}),
        "files": text(dict(manifest.model.source.files)),
    }
    model: dict[str, Json] = {"id": base, "name": base, "additional_details": details}
    if finetune:
        details |= {"base_model": base, "finetune": text(finetune.to_json())}
        model |= {"id": finetune.adapter.origin if finetune.adapter else "", "name": f"{contents.manifest.name} {arm}"}
    if _trained(arm, manifest):
        owner = re.sub("[^A-Za-z0-9._-]+", "-", organization)
        model |= {"id": f"{owner}/{contents.manifest.name}-{arm}", "developer": organization}
        details["training_seeds"] = text(list(manifest.seeds.training))
    packages = contents.environment.get("packages")
    versions: Mapping[str, Json] = packages if isinstance(packages, dict) else {}
    for engine in engines().values():
        for package in engine.packages:
            if package in versions:
                model["inference_engine"] = {"name": engine.title, "version": str(versions[package])}
    return model


def text(value: Json) -> str:
    """Return a value as the schema's additional details want it: as a string."""
    return canonical_json(value).decode()
