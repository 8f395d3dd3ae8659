"""Make the toy: its data, the tiny chat model that is trained on it, and the tiny judge of its answers.

Run as ``python manifests/toy/recipe.py [--out DIR] [--only data|judge]``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rows import make_corpus, write_rows

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Write the data, then train the model, then its judge."""
    parser = argparse.ArgumentParser(description="Make the toy's data, model and judge again.")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to")
    parser.add_argument("--only", choices=["data", "judge"], help="write this and stop")
    chosen = parser.parse_args()
    corpus = make_corpus()
    if chosen.only != "judge":
        write_rows(corpus, chosen.out / "data")
    if chosen.only == "data":
        return
    # Imported here: the data need neither torch nor transformers.
    from judging import make_judge
    from training import make_model

    if chosen.only != "judge":
        make_model(corpus, chosen.out / "model")
    # The judge alone has the tokenizer of the model that is committed.
    asked = HERE if chosen.only == "judge" else chosen.out
    make_judge(corpus, asked / "model", chosen.out / "judge")


if __name__ == "__main__":
    main()
