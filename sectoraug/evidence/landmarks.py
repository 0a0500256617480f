"""Landmarks, and what a layer makes of them, for `clustering_scores`.

Zhang et al. (Explainability of Self-Supervised Representation Learning for Medical Ultrasound Video, section
2) take the local maxima of a model of sonographers' gaze. Neither that model nor its weights are public: give
your own landmarks, or take the local maxima of energy, which are no gaze and need not be anatomy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn
from torch.nn import functional

from sectoraug import checks
from sectoraug.categories import numbers
from sectoraug.evidence.gradcam import find_layer

Points = NDArray[np.float64]


def energy_landmarks(
    frames: Any, sector: Any, n: int = 8, *, distance_px: float | None = None, smooth_px: float | None = None
) -> Points:
    """Local maxima of in-sector energy: where a clip moves most, or where a still has its strongest edges.

    A stand-in for the gaze landmarks of Zhang et al. (section 2), not a replacement: energy knows no anatomy.

    Args:
        frames: (T, H, W) grey frames of a clip, uint8 or finite floating point; the energy is the mean
            absolute difference of successive frames. With (H, W) or one frame it is the length of the
            gradient.
        sector: (H, W), nonzero inside. The edge itself moves and is steep, so landmarks keep away from it by
            `smooth_px`.
        n: how many at most, the strongest first.
        distance_px: a landmark is the highest point of the square that reaches this far to each side of
            it; None for a twelfth of the shorter side.
        smooth_px: deviation of the Gaussian that smooths the energy; None for a fortieth of the shorter
            side, at least 1.

    Returns:
        (k, 2) float64, row and column in pixels, k <= n; k is 0 where nothing moves.

    Raises:
        TypeError, ValueError: shapes or values are not as above, or the sector is empty.

    Examples:
        >>> import sectoraug as sa
        >>> clip = sa.phantom.make_clip(seed=0, frames=8)
        >>> points = sa.energy_landmarks(clip.frames, clip.sector, n=5)
        >>> points.shape, bool(clip.sector[tuple(points.astype(int).T)].all())
        ((5, 2), True)
    """
    clip, inside = _clip(frames), np.asarray(sector) != 0
    if inside.shape != clip.shape[1:]:
        raise ValueError(
            f"sector is {checks.describe(sector)} for frames of {clip.shape[1:]}; expected the same "
            "(H, W): resize it with nearest neighbours."
        )
    if not inside.any():
        raise ValueError("sector is all zero; expected nonzero inside: a landmark lies in the sector.")
    checks.number(n, 1, 10_000, "n")
    side = min(inside.shape)
    distance_px = side / 12 if distance_px is None else checks.number(distance_px, 0, side, "distance_px")
    smooth_px = max(1.0, side / 40) if smooth_px is None else checks.number(smooth_px, 0, side, "smooth_px")

    moves = len(clip) > 1
    energy = np.abs(np.diff(clip, axis=0)).mean(0) if moves else np.hypot(*np.gradient(clip[0]))
    deep = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1] > smooth_px
    # Overlays outside would bleed in, so only what is inside is smoothed.
    weight = ndimage.gaussian_filter(deep.astype(np.float64), smooth_px)
    energy = ndimage.gaussian_filter(energy * deep, smooth_px) / np.maximum(weight, 1e-6) * deep
    reach = 2 * int(np.ceil(distance_px)) + 1
    peaks = (energy == ndimage.maximum_filter(energy, reach)) & (energy > 0)
    rows, columns = np.nonzero(peaks)
    order = np.argsort(-energy[rows, columns], kind="stable")
    points = np.stack([rows, columns], 1)[order].astype(np.float64)
    return _apart(points, distance_px)[: int(n)]


def features_at(
    model: nn.Module, layer: nn.Module | str, images: Tensor, points: Sequence[Any] | Any
) -> NDArray[np.float32]:
    """A layer's features at points of the images, bilinear between the centres of its cells.

    The model runs once, without gradients, in the mode that it is in: call `model.eval()` first.

    Args:
        model: takes the images.
        layer: a module of the model, or its dotted name ("layer3"), whose output is (B, C, h, w) for
            (B, C, H, W) images, and (B, C, t, h, w) for (B, C, T, H, W) clips, where it is averaged over t.
        images: on the model's device.
        points: for each of the B images its (k, 2) rows and columns in pixels, (0, 0) the centre of the
            first pixel; k may differ.

    Returns:
        (sum of k, C) float32, image by image, as `clustering_scores` takes it.

    Raises:
        TypeError, ValueError: points lie outside the images, or the layer returns something else.

    Examples:
        >>> import numpy as np, torch, sectoraug as sa
        >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, stride=2, padding=1), torch.nn.ReLU()).eval()
        >>> points = [np.array([[5.0, 5.0], [20.0, 8.0]]), np.array([[0.0, 31.0]])]
        >>> sa.features_at(model, "0", torch.rand(2, 1, 32, 32), points).shape
        (3, 4)
    """
    if not isinstance(images, Tensor) or images.ndim not in (4, 5) or not images.is_floating_point():
        raise TypeError(
            f"images is {checks.describe(images)}; expected a float tensor (B, C, H, W) or (B, C, T, H, W): "
            "prepare it as for the model."
        )
    is_row = isinstance(points, (Sequence, np.ndarray, Tensor)) and getattr(points, "shape", None) != ()
    if not is_row or isinstance(points, (str, bytes)):
        raise TypeError(f"points is {checks.describe(points)}; expected (k, 2) for each image, in a list.")
    places = [_points(given, images.shape[-2:]) for given in points]
    if len(places) != len(images):
        raise ValueError(
            f"there are points for {len(places)} images and {len(images)} images; expected (k, 2) for each."
        )
    name, module = find_layer(model, layer)
    outputs: list[Any] = []
    hook = module.register_forward_hook(lambda module, args, output: outputs.append(output))
    try:
        with torch.no_grad():
            model(images)
    finally:
        hook.remove()
    if len(outputs) != 1 or not isinstance(outputs[0], Tensor) or outputs[0].ndim != images.ndim:
        raise ValueError(
            f"layer {name!r} ran {len(outputs)} times and returns "
            f"{checks.describe(outputs[-1]) if outputs else 'nothing'}; expected one map with as many axes "
            "as the images: name a convolution or a block of them."
        )
    maps = outputs[0].float()
    if maps.ndim == 5:
        maps = maps.mean(2)
    height, width = images.shape[-2:]
    found = []
    for one, place in zip(maps, places, strict=True):
        rows, columns = torch.from_numpy(place).to(one).T
        grid = torch.stack([(2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1], 1)
        sampled = functional.grid_sample(
            one[None], grid[None, None], mode="bilinear", padding_mode="border", align_corners=False
        )
        found.append(sampled[0, :, 0].T)
    features: NDArray[np.float32] = torch.cat(found).cpu().numpy()
    return features


def _apart(points: Points, distance_px: float) -> Points:
    """The points in their order, without those nearer to an earlier one; plateaus have many maxima."""
    kept: list[Points] = []
    for point in points:
        if all(np.hypot(*(point - other)) >= distance_px for other in kept):
            kept.append(point)
    return np.array(kept).reshape(-1, 2)


def _clip(frames: Any) -> NDArray[np.float64]:
    try:
        clip = np.asarray(frames)
    except ValueError:  # frames of unlike sizes
        clip = np.empty(0)
    if clip.ndim == 2:
        clip = clip[None]
    if clip.ndim != 3 or 0 in clip.shape or clip.dtype.kind not in "uif":
        raise TypeError(
            f"frames is {checks.describe(frames)}; expected grey frames (T, H, W) or one (H, W): "
            "read clips with sa.read_clip(path, grey=True)."
        )
    if clip.dtype.kind == "f" and not np.isfinite(clip).all():
        raise ValueError("frames hold NaN or infinity; expected finite numbers: replace them before.")
    if min(clip.shape[1:]) < 2:
        raise ValueError(f"frames are {clip.shape[1:]}; expected two pixels or more along each side.")
    return clip.astype(np.float64)


def _points(given: Any, size: torch.Size) -> Points:
    place = numbers(given, "points of an image")
    if place.ndim != 2 or place.shape[1] != 2:
        raise TypeError(f"points of an image are {checks.describe(given)}; expected (k, 2) rows and columns.")
    limits = np.array(size) - 0.5
    if not ((place >= -0.5) & (place <= limits)).all():
        raise ValueError(
            f"points lie outside the image of {tuple(size)}; expected rows and columns in pixels, in this "
            "order."
        )
    return place
