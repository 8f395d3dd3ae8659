"""Run inside the image by the tests: does everything import, and do two packages differ on a file that both have?"""

from __future__ import annotations

import importlib
import json
import sys
from collections import defaultdict
from importlib.metadata import distributions


def conflicts() -> list[str]:
    """Return the installed files that two packages have with different content: the one installed last wins."""
    owners: dict[str, dict[str, str]] = defaultdict(dict)
    for distribution in distributions():
        for file in distribution.files or ():
            if file.hash and ".dist-info" not in file.parts[0]:
                owners[str(file)][distribution.metadata["Name"]] = file.hash.value
    return [
        f"{path}: {', '.join(sorted(hashes))}"
        for path, hashes in sorted(owners.items())
        if len(set(hashes.values())) > 1
    ]


def main() -> None:
    """Import what the command line names and print what was found."""
    versions = {}
    for name in sys.argv[1:]:
        module = importlib.import_module(name)
        versions[name] = getattr(module, "__version__", "imported")
    sys.stdout.write(json.dumps({"versions": versions, "conflicts": conflicts()}))


if __name__ == "__main__":
    main()
