"""What tests of this folder are given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The experiments' smallest data."""
    from reproduce_parts import COUNTS, load_phantom

    return load_phantom("phantom", COUNTS, 32, tmp_path_factory.mktemp("data"))
