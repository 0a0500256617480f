"""Random bits that repeat under one seed and differ between workers, epochs and ranks.

albumentations 2.0.8 gives every DataLoader worker, in every epoch, a copy of the same generator.
torch seeds its own generator anew in each worker and epoch, so that one is read instead.
"""

from __future__ import annotations

import os
import random
import sys
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, device

_BITS64 = (1 << 64) - 1
_HIGHEST = (1 << 63) - 1


class _Number(threading.local):
    """One number for torch to draw into, each thread's own: a new tensor costs more than the draw."""

    def __init__(self) -> None:
        torch = sys.modules["torch"]
        with torch.inference_mode(False):  # else it could not be written to outside of that mode
            self.tensor = torch.empty((), dtype=torch.int64, device="cpu")


_number = _Number()


class Draws:
    """A source of 64 random bits at a time, to be kept by a transform.

    Bits come from torch's default CPU generator, so they follow `torch.manual_seed`, the worker and
    the epoch. In the main process a host library's generator is used instead if the user seeded it,
    and wherever torch was never imported. The rank of torch.distributed is mixed in, or the variable
    RANK as it was at the start; workers started by spawn are told by pickling.
    """

    def __init__(self) -> None:
        self._rank_at_start = int(os.environ.get("RANK", 0))

    def bits(self, host: random.Random | None = None, host_is_seeded: bool = False) -> int:
        """64 random bits; `host` is the host library's own generator, if it has one."""
        if host is not None and ("torch" not in sys.modules or (host_is_seeded and not _in_worker())):
            bits = host.getrandbits(63)
        else:
            bits = int(_number.tensor.random_().item())
        return _splitmix64(bits + self._rank() * 0xD1342543DE82EF95)

    def bits_on(self, where: device, n: int) -> Tensor:
        """(n,) int64 of 63 random bits, made on a device by torch's default generator of that device."""
        torch = sys.modules["torch"]
        bits: Tensor = torch.randint(_HIGHEST, (n,), device=where)
        rank = self._rank()
        if rank:
            bits = bits * (_splitmix64(rank) >> 1 | 1) & _HIGHEST
            bits = bits ^ bits >> 32
        return bits

    def _rank(self) -> int:
        distributed: Any = sys.modules.get("torch.distributed")
        if distributed is not None and distributed.is_available() and distributed.is_initialized():
            return int(distributed.get_rank())
        return self._rank_at_start

    def __getstate__(self) -> dict[str, Any]:
        return {"_rank_at_start": self._rank()}


def _in_worker() -> bool:
    data: Any = sys.modules.get("torch.utils.data")
    return data is not None and data.get_worker_info() is not None


def _splitmix64(value: int) -> int:
    """The finaliser of SplitMix64 (Steele et al., 2014): related values become unrelated ones."""
    value &= _BITS64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _BITS64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _BITS64
    return value ^ (value >> 31)
