"""What tests of RandomBackMix share."""

from __future__ import annotations

import pytest
from devices import NEEDS_CUDA

DEVICES = ["cpu", pytest.param("cuda", marks=NEEDS_CUDA)]
N, SIDE = 8, 20
