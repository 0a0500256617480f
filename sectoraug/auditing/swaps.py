"""Does the model read the background? Its answers to the same sector on other backgrounds.

Nothing else changes, but for a seam, and black where the donor had its sector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sectoraug.auditing.answers import Answers
from sectoraug.auditing.model_answers import (
    KINDS,
    ModelAudit,
    Swaps,
    accuracy_of,
    by_donor,
    by_image,
    by_style,
    flips_of,
    mirror_of,
)
from sectoraug.auditing.properties import grey_of, pair
from sectoraug.auditing.told import Ints
from sectoraug.batch import swap_background_batch
from sectoraug.progress import track

if TYPE_CHECKING:
    import torch

_MOST_DONORS = 512
_AT_ONCE = 256
"""Swapped images in memory."""


def audit_model(
    model: Callable[[Any], Any],
    images: Sequence[Any],
    sectors: Sequence[Any],
    labels: Ints,
    groups: Ints,
    style_of: Ints,
    *,
    preprocess: Callable[[Any], Any] | None = None,
    size: tuple[int, int] | None = None,
    layer: Any = None,
    n_images: int = 200,
    n_donors: int = 16,
    seed: int = 0,
    progress: bool = True,
) -> ModelAudit:
    """Swap the backgrounds of `n_images` images, `n_donors` times a kind, and ask the model; see `audit`."""
    rng = np.random.default_rng(seed)
    shown = _spread(labels, n_images, rng)
    others = rng.permutation(np.setdiff1d(np.arange(len(labels)), shown))[: max(0, _MOST_DONORS - len(shown))]
    rows = np.concatenate([shown, others])  # the images that are shown are donors, too
    stack, inside = _stacked(images, sectors, rows, size)
    answers = Answers(model, preprocess, int(labels.max()) + 1)
    plain = answers.of(stack)
    swaps = {}
    seen = _Seen(~inside.flatten(1).all(1).numpy(), labels[rows], groups[rows], style_of[rows])
    for kind in track(KINDS, len(KINDS), "swap", progress):
        donors = np.stack([_donors(kind, seen, i, n_donors, rng) for i in range(len(shown))])
        if (donors >= 0).any():
            swaps[kind] = _swaps(answers, stack, inside, plain, donors)
    told = plain[: len(shown)].argmax(1).numpy()
    any_other = swaps.get(KINDS[0])
    nothing = np.full(len(shown), np.nan), np.full((len(shown), 2), np.nan)
    share, interval = nothing if any_other is None else by_image(any_other, len(shown))
    return ModelAudit(
        images=shown,
        accuracy=accuracy_of(told, labels[shown]),
        accuracy_by_style=by_style(told == labels[shown], style_of[shown]),
        flips={kind: flips_of(each, groups[rows[each.image]], seed) for kind, each in swaps.items()},
        mirror=None if any_other is None else mirror_of(any_other),
        flips_of_image=share,
        interval_of_image=interval,
        flips_of_donor={} if any_other is None else by_donor(any_other, rows),
        focus=None if layer is None else _focus(answers, stack[: len(shown)], inside[: len(shown)], layer),
    )


def _swaps(
    answers: Answers, stack: torch.Tensor, inside: torch.Tensor, plain: torch.Tensor, donors: Ints
) -> Swaps:
    import torch

    image, donor = np.nonzero(donors >= 0)[0], donors[donors >= 0]
    parts = (slice(k, k + _AT_ONCE) for k in range(0, len(image), _AT_ONCE))
    new = torch.cat([answers.of(_swapped(stack, inside, image[part], donor[part])) for part in parts])
    before = plain[image].argmax(1)
    label_of = np.append(plain.argmax(1).numpy(), -1)
    return Swaps(
        image=image,
        donor=donor,
        before=before.numpy(),
        after=new.argmax(1).numpy(),
        of_donor=label_of[donor],
        change=(new - plain[image]).gather(1, before[:, None]).abs()[:, 0].numpy(),
    )


def _spread(labels: Ints, n: int, rng: np.random.Generator) -> Ints:
    """So many images, as many of each label as there are."""
    order = rng.permutation(len(labels))
    turn = np.empty(len(labels), np.intp)
    for label in np.unique(labels):
        own = order[labels[order] == label]
        turn[own] = np.arange(len(own))
    return np.sort(np.lexsort((labels, turn))[:n])


def _stacked(
    images: Sequence[Any], sectors: Sequence[Any], rows: Ints, size: tuple[int, int] | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """(M, C, H, W) uint8 and (M, H, W) bool, of `size`, or of the images' own."""
    import torch

    pictures, insides = [], []
    for i in rows.tolist():
        image, inside = pair(images, sectors, i)
        if image.dtype != np.uint8:
            grey_of(image)  # says where it is not in 0..1
            image = np.rint(255 * image).astype(np.uint8)
        if size is not None and image.shape[:2] != size:
            image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
            inside = cv2.resize(inside.view(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST) != 0
        pictures.append(image.reshape(*image.shape[:2], -1))
        insides.append(inside)
    shapes = {picture.shape for picture in pictures}
    if len(shapes) > 1:
        raise ValueError(
            f"images have {len(shapes)} shapes, such as {' and '.join(map(str, sorted(shapes)[:2]))}; "
            "expected one for the model: give model_size, and grey or colour images only."
        )
    stack = torch.from_numpy(np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2)))
    return stack, torch.from_numpy(np.stack(insides))


@dataclass(frozen=True)
class _Seen:
    """The images in memory."""

    fit: NDArray[np.bool_]
    """To give a background: a sector that fills its image leaves none."""
    labels: Ints
    groups: Ints
    styles: Ints


def _donors(kind: str, seen: _Seen, i: int, n: int, rng: np.random.Generator) -> Ints:
    """(n,) images whose backgrounds image i gets, -1 for none; for black one, the number of images."""
    if kind == "black":
        return np.array([len(seen.fit)])
    fits = seen.fit & (seen.groups != seen.groups[i])
    if kind.endswith("style"):
        fits &= (seen.styles == seen.styles[i]) == (kind == "same style")
    if kind == "other label":
        fits &= seen.labels != seen.labels[i]
    drawn = rng.permutation(np.flatnonzero(fits))[:n]
    return np.pad(drawn, (0, n - len(drawn)), constant_values=-1)


def _swapped(stack: torch.Tensor, inside: torch.Tensor, image: Ints, donor: Ints) -> torch.Tensor:
    import torch

    if donor[0] == len(stack):  # black
        return stack[image] * inside[image][:, None]
    swapped, _ = swap_background_batch(
        stack[image], inside[image], stack, inside, donor_index=torch.from_numpy(donor)
    )
    return swapped


def _focus(answers: Answers, stack: torch.Tensor, inside: torch.Tensor, layer: Any) -> dict[str, float]:
    import torch

    from sectoraug.evidence.focus import coverage_percent, energy_percent, focus_percent
    from sectoraug.evidence.gradcam import GradCAM

    cams = []
    with GradCAM(answers.model, layer) as gradcam:
        for k in range(0, len(stack), 64):
            cams.append(gradcam(answers.prepared(stack[k : k + 64])))
    cam = torch.cat(cams)
    return {
        "energy_percent": float(energy_percent(cam, inside).nanmean()),
        "focus_percent": float(focus_percent(cam, inside).nanmean()),
        "coverage_percent": float(coverage_percent(inside).mean()),
    }
