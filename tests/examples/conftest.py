"""What tests of this folder are given."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SSL = Path(__file__).parents[2] / "examples" / "ssl"


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


@pytest.fixture(scope="module")
def ssl() -> Iterator[Any]:
    """The self-supervised example's modules, which find each other as scripts of one folder do."""
    for name in ("lightly", "sklearn", "torchvision", "matplotlib"):
        pytest.importorskip(name)
    import torch

    names = [path.stem for path in sorted(SSL.glob("*.py"))]
    # Another example has modules of the same names.
    others = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(SSL))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield SimpleNamespace(**{name: import_module(name) for name in names})
    torch.set_num_threads(threads)
    sys.path.remove(str(SSL))
    for name in names:
        sys.modules.pop(name, None)
    sys.modules.update(others)
