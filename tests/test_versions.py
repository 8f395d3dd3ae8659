"""Versions of trainings, generations, numbers and documents: whoever changes what they stand for raises them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import deciding_code
import pytest
from deciding_code import CHECKOUT, DECIDED, RECORD, code_of, recorded


@pytest.mark.parametrize("name", DECIDED)
def test_the_code_that_decides_is_the_code_that_was_recorded(name: str) -> None:
    decided, known = DECIDED[name], recorded()[name]
    code = code_of(decided)
    changed = sorted(place for place in {*code, *known["code"]} if code.get(place) != known["code"].get(place))
    names = ", ".join(decided.versions)
    assert not changed, (
        f"what decides {name} was changed in {', '.join(changed)}. If a released kit would have given another result, "
        f"raise the version that this concerns ({names}, in {decided.raised_in}); if not, as after a mere "
        f"rearrangement, leave it. Then run: python tests/{Path(deciding_code.__file__).name}"
    )
    assert known["versions"] == {**decided.versions}, f"run: python tests/{Path(deciding_code.__file__).name}"


def test_words_do_not_decide_and_code_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = CHECKOUT / "kit/run/backends/training/order.py"
    copy = tmp_path / file.relative_to(CHECKOUT)
    copy.parent.mkdir(parents=True)
    decided = replace(DECIDED["training"], roots=(str(file.relative_to(CHECKOUT)),), within=(), functions=())
    monkeypatch.setattr(deciding_code, "CHECKOUT", tmp_path)
    source = file.read_text(encoding="utf-8")

    def digest(text: str) -> dict[str, str]:
        copy.write_text(text, encoding="utf-8")
        return code_of(decided)

    before = digest(source)
    assert digest("# A comment.\n" + source.replace('"""', '"""More words: ', 1)) == before
    assert digest(source + '\nMORE = "code"\n"""About it."""\n') != before


def test_a_function_that_was_moved_is_missed() -> None:
    with pytest.raises(AssertionError, match=r"Executor\._train is not there"):
        code_of(replace(DECIDED["training"], functions=("kit/run/executor.py::Executor._train",)))


def test_the_record_is_in_its_one_form() -> None:
    assert RECORD.read_text(encoding="utf-8") == json.dumps(recorded(), indent=1, sort_keys=True) + "\n"
