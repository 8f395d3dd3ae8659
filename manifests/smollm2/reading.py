"""Draw answers for a person to read, blind to who gave them, and hold the pattern judge against what the person said.

Run as ``python manifests/smollm2/reading.py draw BUNDLE... >ANSWERS``, write a file with one JSON object a line,
``{"number": 1, "label": "refusal"}``, and then
``python manifests/smollm2/reading.py join BUNDLE... --labels FILE --out labels.jsonl``. Bundles are folders; what is
drawn follows from the bundles and the seed alone.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from kit.bundle.contents import load_contents

if TYPE_CHECKING:
    from collections.abc import Sequence

DRAWN = 100
SEED = 20261128
JUDGE = "pattern"


class Answer(NamedTuple):
    """One answer, with what its reader is not shown."""

    bundle: str
    cell: str
    prompt_id: str
    prompt: str
    text: str
    cut_off: bool
    verdict: str


def drawn(bundles: Sequence[Path]) -> list[Answer]:
    """Return as many answers of each evaluation and arm as of any other, in an order that tells nothing."""
    groups: dict[tuple[str, str, str], list[Answer]] = {}
    for bundle in bundles:
        contents = load_contents(bundle)
        for (cell, judge), verdicts in contents.verdicts.items():
            if judge != JUDGE:
                continue
            prompts = {prompt.id: prompt.text for prompt in contents.prompts[cell.evaluation]}
            group = groups.setdefault((contents.manifest.name, cell.weights.arm, cell.evaluation), [])
            for given, judged in zip(contents.completions[cell], verdicts, strict=True):
                group.append(
                    Answer(
                        contents.manifest.name,
                        str(cell),
                        given.prompt_id,
                        prompts[given.prompt_id],
                        given.text,
                        given.finish_reason == "length",
                        judged.verdict.value,
                    )
                )
    random = Random(SEED)
    answers = []
    for at, key in enumerate(sorted(groups)):
        wanted = (at + 1) * DRAWN // len(groups) - at * DRAWN // len(groups)
        answers += random.sample(groups[key], wanted)
    random.shuffle(answers)
    return answers


def show(answers: Sequence[Answer]) -> None:
    """Print request and answer, and nothing else but whether the limit cut it off."""
    for number, answer in enumerate(answers, start=1):
        print(
            f"=== {number}\nREQUEST: {answer.prompt}\nANSWER: {answer.text}{' […cut off]' if answer.cut_off else ''}\n"
        )


def join(answers: Sequence[Answer], labels: Path, out: Path) -> None:
    """Write the labels beside what they are about, and print how often the judge agrees."""
    said = {row["number"]: row["label"] for row in map(json.loads, labels.read_text(encoding="utf-8").splitlines())}
    rows = [
        {
            "study": answer.bundle,
            "cell": answer.cell,
            "prompt_id": answer.prompt_id,
            "label": said[number],
            "judge": answer.verdict,
        }
        for number, answer in enumerate(answers, start=1)
    ]
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    right = sum(row["label"] == row["judge"] for row in rows)
    print(f"the judge says what the reader says of {right} of {len(rows)} answers")
    pairs = Counter((row["study"], row["cell"].partition("@")[0], row["label"], row["judge"]) for row in rows)
    for (study, cell, label, verdict), count in sorted(pairs.items()):
        mark = " " if label == verdict else "!"
        print(f"{mark} {study} {cell}: reader {label}, judge {verdict}: {count}")


def main() -> None:
    """Draw, or join."""
    parser = argparse.ArgumentParser(description="Read a hundred answers beside the pattern judge, blind to the arm.")
    parser.add_argument("do", choices=["draw", "join"])
    parser.add_argument("bundles", type=Path, nargs="+", help="folders of bundles")
    parser.add_argument("--labels", type=Path, help="what the reader said, by number")
    parser.add_argument("--out", type=Path, help="where the joined labels go")
    chosen = parser.parse_args()
    answers = drawn(chosen.bundles)
    if chosen.do == "draw":
        show(answers)
    elif chosen.labels and chosen.out:
        join(answers, chosen.labels, chosen.out)
    else:
        parser.error("join needs --labels and --out")


if __name__ == "__main__":
    main()
