from __future__ import annotations

import json
from math import atan2, hypot, pi

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sectoraug as sa

SIZE = (60, 80)


@st.composite
def geometries(draw: st.DrawFn) -> sa.SectorGeometry:
    def number(low: float, high: float) -> float:
        return draw(st.floats(low, high, allow_nan=False))

    left, top = number(-20, 30), number(-20, 20)
    box = left, top, left + number(20, 90), top + number(20, 70)
    kind = draw(st.sampled_from(["phased", "curved", "trapezoid", "rectangle"]))
    if kind == "rectangle":
        return sa.SectorGeometry(kind, box)
    start = number(-1.2, 0.5)
    near = number(0, 40)
    return sa.SectorGeometry(
        kind,
        box,
        (number(0, 80), number(-60, 20)),
        (start, start + number(0.2, 1.5)),
        (near, near + number(10, 80)),
        number(0.6, 1.6),
    )


@settings(max_examples=60, deadline=None)
@given(geometries())
def test_json_gives_it_back(shape: sa.SectorGeometry) -> None:
    assert sa.SectorGeometry.from_dict(json.loads(json.dumps(shape.to_dict()))) == shape


@settings(max_examples=25, deadline=None)
@given(geometries())
def test_each_pixel_follows_the_definition(shape: sa.SectorGeometry) -> None:
    drawn = shape.rasterise(SIZE)
    left, top, right, bottom = shape.box_px
    for y in range(0, SIZE[0], 3):
        for x in range(0, SIZE[1], 3):
            inside = left <= x <= right and top <= y <= bottom
            edge = min(abs(x - left), abs(x - right), abs(y - top), abs(y - bottom))
            if shape.apex_px is not None:
                dx, dy = x - shape.apex_px[0], (y - shape.apex_px[1]) * shape.pixel_aspect
                radius, angle = hypot(dx, dy), atan2(dx, dy)
                inside &= shape.radii_px[0] <= radius <= shape.radii_px[1]
                turned = (angle - shape.angles_rad[0] + pi) % (2 * pi) - pi
                inside &= 0 <= turned <= shape.opening_rad
                edge = min(edge, *(abs(radius - r) for r in shape.radii_px))
                edge = min(edge, radius * min(abs(turned), abs(turned - shape.opening_rad)))
            assert drawn[y, x] == inside or edge < 1e-9


@settings(max_examples=40, deadline=None)
@given(geometries(), st.sampled_from([(2, 2), (3, 2), (1, 4)]))
def test_scaling_moves_pixel_centres_along(shape: sa.SectorGeometry, factors: tuple[int, int]) -> None:
    # Odd multiples keep the old centres among the new ones: every old pixel's centre is a new point.
    across, down = factors
    x, y = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    scaled = shape.scaled(across, down)
    same = shape.holds(x, y) == scaled.holds((x + 0.5) * across - 0.5, (y + 0.5) * down - 0.5)
    assert same.mean() > 0.98  # points on an edge may fall on either side
    back = scaled.scaled(1 / across, 1 / down)
    assert np.allclose(back.box_px, shape.box_px)
    assert np.isclose(back.pixel_aspect, shape.pixel_aspect)


@settings(max_examples=40, deadline=None)
@given(geometries())
def test_upside_down_is_a_flip(shape: sa.SectorGeometry) -> None:
    flipped = shape.upside_down(SIZE[0]).rasterise(SIZE)
    assert (flipped == shape.rasterise(SIZE)[::-1]).mean() > 0.98  # as above
    assert shape.upside_down(SIZE[0]).upright == shape.upright


def test_half_sizes_cover_the_same_share() -> None:
    fan = sa.SectorGeometry("curved", (0, 0, 399, 299), (200, -60), (-0.6, 0.6), (80, 340))
    large, small = fan.rasterise((300, 400)), fan.scaled(0.25).rasterise((75, 100))
    assert abs(large.mean() - small.mean()) < 0.01


@pytest.mark.parametrize(
    "shape",
    [
        sa.SectorGeometry("phased", (0, 0, 159, 119), (80, 4), (-0.7, 0.7), (3, 105)),
        sa.SectorGeometry("curved", (0, 0, 159, 119), (80, -40), (-0.5, 0.4), (50, 150), 1.2),
        sa.SectorGeometry("rectangle", (20, 10, 140, 110)),
    ],
    ids=lambda s: s.kind,
)
def test_there_and_back_along_the_beams(shape: sa.SectorGeometry) -> None:
    y, x = np.mgrid[:120, :160].astype(np.float32)
    image = 100 + 50 * np.sin(x / 15) + 50 * np.cos(y / 20)
    along = cv2.remap(image, *shape.polar_maps(300, 400), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    maps = shape.cartesian_maps((120, 160), 300, 400)
    back = cv2.remap(along, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.erode(shape.rasterise((120, 160)).view(np.uint8), np.ones((3, 3))) > 0
    assert np.abs(back - image)[inside].max() < 2
    outside = cv2.dilate(shape.rasterise((120, 160)).view(np.uint8), np.ones((3, 3))) == 0
    cleared = cv2.remap(along, *maps, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=-1)
    assert (cleared[outside] == -1).all()


def test_the_crop_holds_all_and_no_more() -> None:
    shape = sa.SectorGeometry("phased", (0, 0, 79, 59), (40, 5), (-0.5, 0.5), (0, 40))
    rows, columns = shape.crop_box(SIZE)
    sector = shape.rasterise(SIZE)
    assert sector[rows, columns].sum() == sector.sum()
    crop = sector[rows, columns]
    assert crop[0].any()
    assert crop[-1].any()
    assert crop[:, 0].any()
    assert crop[:, -1].any()


def test_the_whole_frame_is_a_rectangle() -> None:
    shape = sa.SectorGeometry.whole_frame(SIZE)
    assert shape.rasterise(SIZE).all()
    assert shape.kind == "rectangle"
    assert shape.depth_px == 60
    assert shape.opening_rad == 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: sa.SectorGeometry("cone", (0, 0, 9, 9)), "kind is 'cone'"),
        (lambda: sa.SectorGeometry("rectangle", (9, 0, 0, 9)), "expected left <= right"),
        (lambda: sa.SectorGeometry("rectangle", (0, 0, 9, 9), (1, 1)), "expected None for a rectangle"),
        (lambda: sa.SectorGeometry("phased", (0, 0, 9, 9), (1, 1), (1, 0), (0, 9)), "expected start < end"),
        (lambda: sa.SectorGeometry("phased", (0, 0, 9, 9), (1, 1), (0, 1), (9, 9)), "top < bottom"),
        (lambda: sa.SectorGeometry("phased", (0, 0, 9, 9), (1, 1), (0, 1), (0, 9), 0), "above 0"),
        (lambda: sa.SectorGeometry("rectangle", (0, 0, 9, float("nan"))), "4 finite numbers"),
        (lambda: sa.SectorGeometry("rectangle", (0, 0, 9, "9")), "4 finite numbers"),
        (lambda: sa.SectorGeometry("rectangle", (0, 0, 9, None)), "4 finite numbers"),
        (
            lambda: sa.SectorGeometry("rectangle", np.arange(99)),
            r"an int64 array of shape \(99,\); expected 4",
        ),
        (lambda: sa.SectorGeometry("phased", (0, 0, 9, 9), (1, 1), (0, 1), (0, 9), "1"), "above 0"),
        (lambda: sa.SectorGeometry(np.array(["phased"] * 2), (0, 0, 9, 9)), "expected one of 'phased'"),
        (lambda: sa.SectorGeometry.from_dict({"kind": "rectangle"}), "kind, box_px and only"),
        (lambda: sa.SectorGeometry("rectangle", (90, 0, 99, 9)).crop_box(SIZE), "no pixel of 60 x 80"),
    ],
)
def test_what_makes_no_sense_is_named(make: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()  # type: ignore[operator]
