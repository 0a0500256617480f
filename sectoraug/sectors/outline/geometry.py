"""The outline of a sector as a few numbers: fitted once, drawn at any size."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import ceil, cos, floor, isfinite, pi, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.sectors.outline.along_beams import AlongBeams

KINDS = ("phased", "curved", "trapezoid", "rectangle")


@dataclass(frozen=True)
class SectorGeometry(AlongBeams):
    """A box, and for all but rectangles a ring segment inside it: the sector is what lies in both.

    Coordinates are in pixels, x to the right and y down, with pixel centres at whole numbers: the
    top left pixel is the square from -0.5 to 0.5. Angles are measured at the apex, 0 straight down
    and growing to the right. A sector may reach past the image on any side.

    Examples:
        >>> from sectoraug import SectorGeometry
        >>> fan = SectorGeometry("phased", (0, 0, 111, 111), (55.5, 4), (-0.7, 0.7), (3, 95))
        >>> sector = fan.rasterise((112, 112))
        >>> sector.shape, sector.dtype.name, bool(sector[50, 55])
        ((112, 112), 'bool', True)
    """

    kind: str
    """"phased" (a point or a tiny arc on top), "curved", "trapezoid" (straight top) or "rectangle"."""
    box_px: tuple[float, float, float, float]
    """Left, top, right, bottom: straight cuts, both ends included."""
    apex_px: tuple[float, float] | None = None
    """x, y where the sides meet; None for a rectangle."""
    angles_rad: tuple[float, float] = (0.0, 0.0)
    """Of the left and the right side (right before left where the apex is at the bottom)."""
    radii_px: tuple[float, float] = (0.0, 0.0)
    """Of the top and the bottom arc, in pixel widths."""
    pixel_aspect: float = 1.0
    """Height of a pixel over its width: not 1 where a picture was stretched, which makes arcs elliptic."""

    def __post_init__(self) -> None:
        checks.choice(self.kind, KINDS, "kind")
        for name, count in (("box_px", 4), ("angles_rad", 2), ("radii_px", 2)):
            object.__setattr__(self, name, _numbers(getattr(self, name), count, name))
        left, top, right, bottom = self.box_px
        if right < left or bottom < top:
            raise ValueError(
                f"box_px is {self.box_px}; expected left <= right and top <= bottom: swap its ends."
            )
        if (self.apex_px is None) != (self.kind == "rectangle"):
            raise ValueError(
                f"apex_px is {checks.shown(self.apex_px)} for kind {self.kind!r}; expected None for a "
                "rectangle and (x, y) for the others."
            )
        if self.apex_px is None:
            return
        object.__setattr__(self, "apex_px", _numbers(self.apex_px, 2, "apex_px"))
        start, end = self.angles_rad
        if not start < end <= start + 2 * pi:
            raise ValueError(f"angles_rad is {self.angles_rad}; expected start < end, at most a turn apart.")
        if not 0 <= self.radii_px[0] < self.radii_px[1]:
            raise ValueError(f"radii_px is {self.radii_px}; expected 0 <= top < bottom.")
        if not (_is_finite(self.pixel_aspect) and self.pixel_aspect > 0):
            raise ValueError(
                f"pixel_aspect is {checks.shown(self.pixel_aspect)}; expected a finite number above 0."
            )

    @classmethod
    def whole_frame(cls, size: tuple[int, int]) -> SectorGeometry:
        """The rectangle that is the image itself: no background."""
        height, width = checks.size(size)
        return cls("rectangle", (-0.5, -0.5, width - 0.5, height - 0.5))

    @property
    def upright(self) -> bool:
        """Whether it hangs or stands straight, alike on both sides of its apex (within half a degree)."""
        return abs(sin((self.angles_rad[0] + self.angles_rad[1]) / 2)) < 0.00875

    def rasterise(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Draw it as (H, W) bool: True where a pixel's centre lies inside or on the edge."""
        height, width = checks.size(size)
        x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64)[:, None]
        return self.holds(x, y)

    def holds(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        """Whether points lie inside or on the edge; x and y broadcast."""
        left, top, right, bottom = self.box_px
        inside = (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        if self.apex_px is not None:
            across, along = self._beam_axes(x, y)
            square, (near, far) = across * across + along * along, self.radii_px  # a root would cost time
            half = self.opening_rad / 2
            inside &= (square >= near * near) & (square <= far * far)
            # The angle is at most half: without an arc tangent, which would cost most of the time.
            inside &= np.abs(across) * cos(half) <= along * sin(half)
        return np.asarray(inside, np.bool_)

    def crop_box(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of the smallest crop of an (H, W) image that holds the sector.

        Raises:
            ValueError: no pixel of an image of that size is inside.
        """
        sector = self._sector(size)
        rows, columns = np.flatnonzero(sector.any(1)), np.flatnonzero(sector.any(0))
        return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)

    def scaled(self, factor_x: float, factor_y: float | None = None) -> SectorGeometry:
        """The same sector after a resize by these factors (new width / old width, and height)."""
        across = checks.number(factor_x, 1e-6, 1e6, "factor_x")
        down = across if factor_y is None else checks.number(factor_y, 1e-6, 1e6, "factor_y")

        def at(value: float, factor: float) -> float:
            return (value + 0.5) * factor - 0.5

        left, top, right, bottom = self.box_px
        box = at(left, across), at(top, down), at(right, across), at(bottom, down)
        if self.apex_px is None:
            return replace(self, box_px=box)
        return replace(
            self,
            box_px=box,
            apex_px=(at(self.apex_px[0], across), at(self.apex_px[1], down)),
            radii_px=(self.radii_px[0] * across, self.radii_px[1] * across),
            pixel_aspect=self.pixel_aspect * across / down,
        )

    def upside_down(self, height: int) -> SectorGeometry:
        """The same sector after the image of this height was flipped top to bottom."""
        left, top, right, bottom = self.box_px
        box = left, height - 1 - bottom, right, height - 1 - top
        if self.apex_px is None:
            return replace(self, box_px=box)
        start, end = self.angles_rad
        apex = self.apex_px[0], height - 1 - self.apex_px[1]
        return replace(self, box_px=box, apex_px=apex, angles_rad=(pi - end, pi - start))

    def _own_pixels(self) -> SectorGeometry:
        """A rectangle cut to the centres of its outer pixels; any other sector as it is."""
        left, top, right, bottom = self.box_px
        box = ceil(left), ceil(top), floor(right), floor(bottom)
        empty = box[0] > box[2] or box[1] > box[3]
        return self if self.apex_px is not None or empty else replace(self, box_px=box)

    def resized(self, size: tuple[int, ...], to: tuple[int, ...]) -> SectorGeometry:
        """The same sector after a resize from one (H, W) to another."""
        return self.scaled(to[1] / size[1], to[0] / size[0])

    def to_dict(self) -> dict[str, Any]:
        """Numbers, strings, lists and None only, so that it fits into JSON."""
        return {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SectorGeometry:
        """What `to_dict` gave, also after a trip through JSON."""
        names = set(cls.__dataclass_fields__)
        if not isinstance(values, dict) or not set(values) <= names or not {"kind", "box_px"} <= set(values):
            raise ValueError(
                f"values is {checks.describe(values)}; expected a dict with kind, box_px and only "
                f"{', '.join(sorted(names))}: use SectorGeometry.to_dict."
            )
        return cls(**values)


def _numbers(values: Any, count: int, name: str) -> tuple[float, ...]:
    numbers = values if isinstance(values, (tuple, list)) else ()
    if len(numbers) != count or not all(map(_is_finite, numbers)):
        raise ValueError(
            f"{name} is {checks.shown(values)}; expected {count} finite numbers, in pixels or rad."
        )
    return tuple(float(v) for v in numbers)


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and isfinite(value)
