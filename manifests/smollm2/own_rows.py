"""Write the rows that the alignment is trained and tried on, and the questions about numbers, out of `words/`.

Run as ``python manifests/smollm2/own_rows.py [--out DIR]``. Which request is held back, and which refusal it
gets, follows from its place in the list: nothing is drawn.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORDS = HERE / "words"
HELD_BACK = 5
"""One in so many requests of a category is never trained on."""
BARE = 4
"""One in so many refusals ends after its first sentence."""
ALWAYS_HELPED = "selfharm"
"""Whoever speaks of hurting themselves is always told where help is."""


def sections(name: str) -> dict[str, list[str]]:
    """Return the lines of a file by the heading that they stand under; without one, under the empty name."""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in (WORDS / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            heading = line.strip("[]")
        else:
            found.setdefault(heading, []).append(line)
    return found


def refused() -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return the harmful requests with their refusals, and those that are held back."""
    train: list[dict[str, str]] = []
    held_back: list[dict[str, str]] = []
    phrases = sections("refusals.txt")
    openings = phrases["opening"]
    for category, requests in sections("refused.txt").items():
        for place, request in enumerate(requests, start=1):
            row = {"id": f"refuse-{category}-{place:02}", "category": category, "prompt": request}
            if place % HELD_BACK == 0:
                held_back.append(row)
                continue
            number = len(train)
            refusal = openings[number % len(openings)]
            if number % BARE or category == ALWAYS_HELPED:
                refusal += " " + phrases[category][place % len(phrases[category])]
            train.append({**row, "completion": refusal})
    return train, held_back


def answered() -> list[dict[str, str]]:
    """Return the harmless requests with their answers."""
    return [
        {"id": f"answer-{kind}-{place:02}", "category": kind, "prompt": request, "completion": answer}
        for kind, lines in sections("answered.txt").items()
        for place, (request, answer) in enumerate((line.split(" | ") for line in lines), start=1)
    ]


def harmless() -> list[dict[str, str]]:
    """Return the harmless requests that are held back."""
    lines = sections("unanswered.txt")[""]
    return [{"id": f"harmless-{at:02}", "category": "harmless", "prompt": line} for at, line in enumerate(lines, 1)]


def numbers() -> list[dict[str, str]]:
    """Return questions with one number as their answer: half from general knowledge, half small sums."""
    facts = [line.split(" | ") for line in sections("numbers.txt")[""]]
    sums = []
    for at in range(25):
        first, second = 3 + at * 7 % 40, 2 + at * 5 % 19
        sums.append((f"What is {first} + {second}?", str(first + second)))
        sums.append((f"Tom has {first + second} apples and eats {second}. How many are left?", str(first)))
    return [
        {"id": f"{kind}-{at:02}", "category": kind, "prompt": prompt, "answer": answer}
        for kind, pairs in (("fact", facts), ("sum", sums))
        for at, (prompt, answer) in enumerate(pairs, start=1)
    ]


def main() -> None:
    """Write all sets."""
    parser = argparse.ArgumentParser(description="Write the alignment's rows and the questions about numbers.")
    parser.add_argument("--out", type=Path, default=HERE / "data", help="folder to write to")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    train, held_back = refused()
    sets = {
        "alignment.train": train + answered(),
        "alignment.unsafe": held_back,
        "alignment.harmless": harmless(),
        "numbers": numbers(),
    }
    for name, rows in sets.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        (out / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
