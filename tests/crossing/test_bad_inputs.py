"""Each bad input raises one clear sentence and changes nothing; the docs show the same sentences."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SPEC = importlib.util.spec_from_file_location("bad_inputs", Path(__file__).with_name("bad_inputs.py"))
assert SPEC is not None
assert SPEC.loader is not None
bad_inputs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bad_inputs)


@pytest.mark.parametrize(("name", "call", "kind"), bad_inputs.CASES, ids=[c[0] for c in bad_inputs.CASES])
def test_one_sentence_and_nothing_changed(name: str, call: Any, kind: Any) -> None:
    arrays = {k: v for k, v in vars(bad_inputs).items() if isinstance(v, np.ndarray)}
    before = {k: v.copy() for k, v in arrays.items()}
    with pytest.raises(kind) as raised:
        call()
    said = str(raised.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert 30 < len(said) < 420
    for key, array in arrays.items():
        assert np.array_equal(array, before[key], equal_nan=array.dtype.kind == "f"), key


def test_the_docs_show_these_sentences() -> None:
    if not bad_inputs.PAGE.exists():
        pytest.skip("the docs are not here: an installed package")
    assert bad_inputs.PAGE.read_text() == bad_inputs.page(), "run `python tests/bad_inputs.py`"
