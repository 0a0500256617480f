"""What albumentations 2.0.8 and AlbumentationsX ask of a transform, each in its own way."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from random import Random
from types import FrameType
from typing import Any

import albumentations as A

from sectoraug import checks
from sectoraug.draws import Draws

try:  # AlbumentationsX from 2.5 on wants its own type back, where earlier ones take the dict
    from albumentations.core.transform_params import SampledParams as _SampledParams
except ImportError:
    _SampledParams = None

_ALBUMENTATIONSX = hasattr(A.BasicTransform, "sample_parameters")
_MASK_KEYS = ("mask", "masks", "mask3d", "masks3d")

Sampled = dict[str, Any]


class HostedTransform(A.ImageOnlyTransform):  # type: ignore[misc]
    """A transform of images with a sector, on either host; a subclass draws and applies.

    The host tosses the coin of `p`, asks for what one call draws, keeps that for a replay, and hands it back
    to `apply_with_params`.
    """

    def __init__(self, p: float, sector_key: str) -> None:
        self.sector_key = checks.key(sector_key, "sector_key")
        self._draws = Draws()
        self._siblings_checked = sector_key in _MASK_KEYS
        super().__init__(p=checks.number(p, 0, 1, "p"))

    def draw(self, bits: int, data: dict[str, Any]) -> Sampled:
        """What one call draws from 64 random bits, as plain numbers: a replay saves it."""
        raise NotImplementedError

    if _ALBUMENTATIONSX:

        def sample_parameters(self, params: Any, data: Any, sampling: Any, targets: Any = None) -> Any:
            # A transform is not told its Compose's seed; the owner of the stream it draws from is.
            owner = getattr(sampling.invocation.random_stream_reserver, "__self__", None)
            seeded = getattr(owner, "seed", None) is not None
            drawn = self._drawn(sampling.py_random, seeded, data)
            return drawn if _SampledParams is None else _SampledParams(params=drawn)

    else:

        def update_transform_params(self, params: Any, data: Any) -> Any:
            return params  # the host's own adds a shape that is not used, and needs an image

        def get_params_dependent_on_data(self, params: Any, data: Any) -> dict[str, Any]:
            return self._drawn(self.py_random, self.seed is not None, data)

    def _drawn(self, host: Random, host_is_seeded: bool, data: dict[str, Any]) -> Sampled:
        return self.draw(self._draws.bits(host, host_is_seeded), data)

    def _set_keys(self) -> None:
        super()._set_keys()
        self._available_keys |= {self.sector_key, "backmixed", "pool_index"}

    def check_siblings(self) -> None:
        """Raise, at the first call, if a geometric transform before this one leaves the sector behind."""
        if self._siblings_checked:
            return
        for sibling in _before(self, _enclosing_compose(self)):
            moves_masks = isinstance(sibling, A.DualTransform) and not isinstance(sibling, A.NoOp)
            if moves_masks and self.sector_key not in sibling.available_keys:
                raise ValueError(
                    f"{type(sibling).__name__} does not move the sector, which is under "
                    f"{self.sector_key!r}; expected the key to be declared: use "
                    f'A.Compose(..., additional_targets={{"{self.sector_key}": "mask"}}).'
                )
        self._siblings_checked = True


def _enclosing_compose(transform: HostedTransform) -> Any:
    """The outermost Compose that is calling `transform`, or None.

    Neither library tells a transform where it stands, so the calls under way are looked through.
    """
    found = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, A.BaseCompose) and any(leaf is transform for leaf in _leaves(caller)):
            found = caller
        frame = frame.f_back
    return found


def _leaves(compose: Any) -> Iterator[Any]:
    for transform in compose.transforms:
        if isinstance(transform, A.BaseCompose):
            yield from _leaves(transform)
        else:
            yield transform


def _before(transform: HostedTransform, compose: Any) -> Iterator[Any]:
    for leaf in () if compose is None else _leaves(compose):
        if leaf is transform:
            return
        yield leaf
