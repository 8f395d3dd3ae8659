"""Asks roc-validator about a crate, offline: `validate.py CRATE CACHE`, in the environment of locks/crate-3.11.txt.

The one remote file that it wants, the context of RO-Crate 1.1, is put into its cache from rocrate's own copy.
Prints one line an issue, and how many checks there were.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import requests
import rocrate  # type: ignore[import-not-found]
import urllib3
from requests_cache import CachedSession  # type: ignore[import-not-found]
from rocrate_validator.models import Severity, ValidationSettings  # type: ignore[import-not-found]
from rocrate_validator.services import validate  # type: ignore[import-not-found]

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


def seed(cache: Path) -> None:
    data = (Path(rocrate.__file__).parent / "data/ro-crate.jsonld").read_bytes()
    response = requests.Response()
    response.status_code, response.url = 200, CONTEXT
    response.headers["Content-Type"] = "application/ld+json"
    response.request = requests.Request("GET", CONTEXT).prepare()
    response.raw = urllib3.HTTPResponse(
        body=io.BytesIO(data), headers=response.headers, status=200, preload_content=False
    )
    with CachedSession(cache_name=str(cache), backend="sqlite", expire_after=-1) as session:
        session.cache.save_response(response)


def main(crate: str, cache: Path) -> None:
    seed(cache)
    settings = ValidationSettings(
        rocrate_uri=crate,
        profile_identifier="process-run-crate-0.5",
        requirement_severity=Severity.RECOMMENDED,
        cache_path=cache,
        cache_max_age=-1,
        offline=True,
    )
    result = validate(settings)
    for issue in result.get_issues():
        print(f"{issue.severity.name}: {issue.message}")  # noqa: T201
    print(f"{len(result.executed_checks)} checks")  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
