"""What tests of this folder are given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from review_masks import N, Serving, make_masks, serving


@pytest.fixture
def masks(tmp_path: Path) -> Path:
    return make_masks(tmp_path / "masks", N)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, Path]]:
    folder = make_masks(tmp_path_factory.mktemp("served") / "masks", 60)
    with serving(folder) as running:
        yield running, folder
