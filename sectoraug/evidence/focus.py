"""How much of a network's attention lies inside the sector: %E, %F, and the coverage to read them by.

%E depends on the CAM's grid: a CAM equal to the pooled sector itself scores about 70 on a 4 x 4 grid,
80 to 85 on 7 x 7 and 90 on 14 x 14, by the sector's shape. So compare models on one
grid only, and print the grid, the layer and the target class beside the number (`GradCAM` keeps all three).
"""

from __future__ import annotations

import torch
from torch import Tensor

from sectoraug import checks


def energy_percent(cam: Tensor, sector: Tensor) -> Tensor:
    """Share of the CAM's sum that lies inside the sector (BackMix, section 2.4: %E before averaging).

    Args:
        cam: (B, H, W) float, >= 0; NaN where there is none, as `GradCAM` returns it.
        sector: (B, H, W) or (B, 1, H, W), bool, uint8 or float; nonzero inside.

    Returns:
        (B,) float32 in 0..100; NaN for a CAM that is all zero or holds a NaN. A uniform CAM scores
        `coverage_percent(sector)`, so report the two side by side.

    Raises:
        TypeError, ValueError: an argument is not as above, the shapes or devices differ, or a sector
            is empty.

    Examples:
        >>> import torch, sectoraug as sa
        >>> cam, sector = torch.tensor([[[0.9, 0.1], [0.2, 0.8]]]), torch.tensor([[[1, 0], [0, 0]]]).bool()
        >>> sa.energy_percent(cam, sector)
        tensor([45.])
    """
    inside = _inside(sector)
    _check_cam(cam, inside)
    return _share_inside(cam.float(), inside)


def focus_percent(cam: Tensor, sector: Tensor, threshold: float = 0.5) -> Tensor:
    """Share of the pixels above `threshold` that lies inside the sector (BackMix, section 2.4: %F).

    Args:
        cam: (B, H, W) float in 0..1, as for `energy_percent`.
        sector: as for `energy_percent`.
        threshold: in 0..1; pixels strictly above it count. The paper's is 0.5.

    Returns:
        (B,) float32 in 0..100; NaN where no pixel is above the threshold, and for a CAM that is all
        zero or holds a NaN.

    Raises:
        TypeError, ValueError: as for `energy_percent`.

    Examples:
        >>> import torch, sectoraug as sa
        >>> cam, sector = torch.tensor([[[0.9, 0.1], [0.2, 0.8]]]), torch.tensor([[[1, 0], [0, 0]]]).bool()
        >>> sa.focus_percent(cam, sector)
        tensor([50.])
    """
    checks.number(threshold, 0, 1, "threshold")
    inside = _inside(sector)
    _check_cam(cam, inside)
    above = (cam > threshold).float()
    return _share_inside(above.masked_fill(cam.isnan(), torch.nan), inside)


def coverage_percent(sector: Tensor) -> Tensor:
    """Share of the image's area that lies inside the sector: what a uniform CAM scores in %E.

    Args:
        sector: as for `energy_percent`.

    Returns:
        (B,) float32 in 0..100.

    Raises:
        TypeError, ValueError: as for `energy_percent`.

    Examples:
        >>> import torch, sectoraug as sa
        >>> sa.coverage_percent(torch.tensor([[[1, 0], [0, 0]]]).bool())
        tensor([25.])
    """
    return 100 * _inside(sector).float().mean((1, 2))


def _share_inside(weights: Tensor, inside: Tensor) -> Tensor:
    # 0 / 0 is NaN, which is the answer where there is nothing to share out.
    return 100 * weights.where(inside, 0).sum((1, 2)) / weights.sum((1, 2))


def _inside(sector: Tensor) -> Tensor:
    """Return the sector as (B, H, W) bool; raise if it is none, or empty in any image."""
    if not isinstance(sector, Tensor):
        raise TypeError(
            f"sector is {checks.describe(sector)}; expected a tensor: use torch.as_tensor(sector)."
        )
    if sector.ndim == 4 and sector.shape[1] == 1:
        sector = sector[:, 0]
    if sector.ndim != 3 or 0 in sector.shape:
        raise ValueError(
            f"sector is {checks.describe(sector)}; expected (B, H, W) or (B, 1, H, W): "
            "give one sector an image, and sector[None] for a single image."
        )
    if sector.is_floating_point() and bool(sector.isnan().any()):
        raise ValueError(
            f"sector is {checks.describe(sector)} with NaN; expected nonzero inside and 0 outside: "
            "find the file or the transform that makes them."
        )
    inside = sector != 0
    found = inside.flatten(1).any(1)
    if not bool(found.all()):
        missing = int((~found).nonzero()[0])
        raise ValueError(
            f"the sector of image {missing} is missing (all zero); expected nonzero inside: "
            "leave this image out, since every CAM would score 0."
        )
    return inside


def _check_cam(cam: Tensor, inside: Tensor) -> None:
    if not isinstance(cam, Tensor) or not cam.is_floating_point():
        dtype = f" and {cam.dtype}" if isinstance(cam, Tensor) else ""
        raise TypeError(
            f"cam is {checks.describe(cam)}{dtype}; expected a (B, H, W) float tensor, as GradCAM returns."
        )
    if cam.shape != inside.shape:
        raise ValueError(
            f"cam is {checks.describe(cam)} but the sectors are {tuple(inside.shape)}; expected both "
            "(B, H, W): bring the sectors to the size of the images that made the CAM."
        )
    if cam.device != inside.device:
        raise ValueError(
            f"cam is on {cam.device} but the sectors are on {inside.device}; expected one device: "
            "use sector.to(cam.device)."
        )
    if bool((cam < 0).any()):
        raise ValueError(
            f"cam is {checks.describe(cam)} with values below 0; expected importances of 0 and more: "
            "apply a ReLU, and do not subtract the mean or the minimum."
        )
