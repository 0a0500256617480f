from __future__ import annotations

import subprocess
import sys
from math import pi

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import sectoraug as sa

SIZE = (120, 160)
BOX = (0, 0, 159, 119)
SHAPES = {
    "phased": sa.SectorGeometry("phased", BOX, (79.5, 4), (-0.7, 0.7), (0, 105)),
    "lopsided": sa.SectorGeometry("phased", BOX, (40.2, 6.7), (-0.3, 1.1), (3, 100)),
    "over half a turn": sa.SectorGeometry("curved", BOX, (80, 60), (-2.0, 2.2), (10, 50)),
    "nearly a turn": sa.SectorGeometry("curved", BOX, (80, 60), (-3.1, 3.1), (10, 50)),
    "cut straight": sa.SectorGeometry("curved", (25.5, 20, 130, 100.2), (80, -20), (-0.6, 0.6), (30, 125)),
    "low pixels": sa.SectorGeometry("curved", BOX, (80, -10), (-0.6, 0.7), (20, 70), 0.6),
    "high pixels": sa.SectorGeometry("phased", BOX, (79.5, 3), (-0.5, 0.5), (2, 150), 1.5),
    "apex below": sa.SectorGeometry("phased", BOX, (79.5, 4), (-0.7, 0.6), (2, 105)).upside_down(120),
    "past the frame": sa.SectorGeometry("phased", (-90, -90, 300, 300), (20, -5), (-0.9, 0.9), (2, 140)),
    "trapezoid": sa.SectorGeometry("trapezoid", (0, 10, 159, 110), (79.5, -60), (-0.5, 0.5), (60, 200)),
    "rectangle": sa.SectorGeometry("rectangle", (20.3, 10, 140.9, 110.5)),
    "needle": sa.SectorGeometry("phased", BOX, (79.5, 4), (-0.05, 0.05), (0, 105)),
}
MEAN_OF_FANS, LARGEST_1_PERCENT_OF_FANS = 4.0, 26  # grey levels, as to_polar says


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> sa.SectorGeometry:
    return SHAPES[request.param]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, shape, dtype=np.uint8)


def there_and_back(shape: sa.SectorGeometry, frames: np.ndarray, size: tuple[int, int] = SIZE) -> np.ndarray:
    return shape.from_polar(shape.to_polar(frames), size)


@pytest.mark.parametrize("geometry", ["fan", "curved", "linear"])
def test_phantoms_there_and_back(geometry: str) -> None:
    clips = [
        sa.phantom.make_clip(view, 1, seed=seed, vendor=vendor, geometry=geometry)
        for view in sa.phantom.VIEWS
        for seed, vendor in enumerate(sa.phantom.VENDORS)
    ]
    frames, shape = np.concatenate([clip.frames for clip in clips]), sa.fit_outline(clips[0].sector)
    back, drawn = there_and_back(shape, frames, (112, 112)), shape.rasterise((112, 112))
    inside = drawn & clips[0].sector
    error = np.abs(back.astype(int) - frames)[:, inside]
    assert inside.sum() > 0.98 * clips[0].sector.sum()
    assert not back[:, ~drawn].any()
    if geometry == "linear":
        assert not error.any()
        return
    assert error.mean() < MEAN_OF_FANS
    assert np.percentile(error, 99) <= LARGEST_1_PERCENT_OF_FANS
    depths, beams = shape.to_polar(frames[0]).shape
    finer = shape.from_polar(shape.to_polar(frames, (2 * depths, 2 * beams)), (112, 112))
    finer_error = np.abs(finer.astype(int) - frames)[:, inside]
    print(f"{geometry}: {error.mean():.2f}, {np.percentile(error, 99)}; twice {finer_error.mean():.2f}")
    assert finer_error.mean() < 0.56 * error.mean()
    assert np.percentile(finer_error, 99) < 0.56 * np.percentile(error, 99)


@pytest.mark.parametrize("top", [255, 1.0])
def test_the_highest_level_stays_and_nothing_from_around_comes_in(
    shape: sa.SectorGeometry, top: float
) -> None:
    sector, dtype = shape.rasterise(SIZE), np.uint8 if top == 255 else np.float32
    frame = np.where(sector, top, top / 3).astype(dtype)
    polar = shape.to_polar(frame)
    assert set(np.unique(polar)) <= {0, top}
    np.testing.assert_array_equal(shape.from_polar(polar, SIZE), np.where(sector, top, 0))
    full = np.full(polar.shape, top, dtype)
    np.testing.assert_array_equal(shape.from_polar(full, SIZE), np.where(sector, top, 0))
    tensor = shape.from_polar(shape.to_polar(torch.from_numpy(frame)), SIZE).numpy()
    np.testing.assert_allclose(tensor, np.where(sector, top, 0), rtol=0 if top == 255 else 1e-5)


def test_beams_cut_off_and_beyond_the_frame_are_black() -> None:
    for name, some in {
        "cut straight": True,
        "past the frame": True,
        "trapezoid": True,
        "phased": False,
    }.items():
        polar = SHAPES[name].to_polar(np.full(SIZE, 9, np.uint8))
        x, y = SHAPES[name].polar_maps(*polar.shape)
        left, top, right, bottom = SHAPES[name].box_px
        out = (x < max(left, -0.5) - 0.1) | (x > min(right, 159.5) + 0.1)
        out |= (y < max(top, -0.5) - 0.1) | (y > min(bottom, 119.5) + 0.1)
        assert out.any() == some, name
        assert not polar[out].any() and (polar == 0).mean() < out.mean() + 0.01, name


@pytest.mark.parametrize("name", ["phased", "nearly a turn", "lopsided", "apex below", "low pixels"])
def test_rows_are_depths_and_columns_are_beams_at_any_opening(name: str) -> None:
    shape = SHAPES[name]
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    dx, dy = x - shape.apex_px[0], (y - shape.apex_px[1]) * shape.pixel_aspect
    middle = sum(shape.angles_rad) / 2
    angle = np.arctan2(dx, dy) - middle
    angle = (angle + pi) % (2 * pi) - pi + middle
    depth = np.hypot(dx, dy)
    beams, depths = np.linspace(*shape.angles_rad, 90), np.linspace(*shape.radii_px, 60)
    inner = (slice(15, -2), slice(4, -4))
    polar = shape.to_polar(angle.astype(np.float32), (60, 90))
    assert np.abs(polar - beams)[inner].max() < 0.01
    polar = shape.to_polar(depth.astype(np.float32), (60, 90))
    assert np.abs(polar - depths[:, None])[inner].max() < 0.1


def test_a_whole_turn_is_opencv_s() -> None:
    radii, angles, reach = 40, 120, 50.0
    last = reach * (radii - 1) / radii
    disc = sa.SectorGeometry("curved", (0, 0, 120, 120), (60, 60), (-1.5 * pi, 0.5 * pi), (0, last))
    for image in np.mgrid[:121, :121].astype(np.float32):  # where each pixel came from
        flags = cv2.WARP_POLAR_LINEAR | cv2.INTER_LINEAR
        theirs = cv2.warpPolar(image, (radii, angles), (60, 60), reach, flags)
        turned = theirs[(angles - np.arange(angles + 1)) % angles].T  # from the right, clockwise
        ours = disc.to_polar(image, (radii, angles + 1))
        inner = (slice(10, -1), slice(6, -6))  # the last row and the seam are the sector's rim
        assert np.abs(ours - turned)[inner].max() < 0.017, "a 64th of a pixel"


@pytest.mark.parametrize("width", [160, 159])
def test_a_symmetric_picture_comes_back_symmetric(width: int) -> None:
    middle = (width - 1) / 2
    half = noise(120, width)
    frame = np.minimum(half, half[:, ::-1])
    for kind, angles, radii, y in (("phased", 0.7, (0, 105), 4), ("curved", 0.5, (40, 130), -20)):
        shape = sa.SectorGeometry(kind, (0, 0, width - 1, 119), (middle, y), (-angles, angles), radii)
        polar = shape.to_polar(frame)
        back = shape.from_polar(polar, frame.shape)
        np.testing.assert_array_equal(polar, polar[:, ::-1])
        np.testing.assert_array_equal(back, back[:, ::-1])
        fine = shape.from_polar(shape.to_polar(frame.astype(np.float32)), frame.shape)
        np.testing.assert_allclose(fine, fine[:, ::-1], atol=1e-3)


def test_upside_down_gives_the_beams_the_other_way_round() -> None:
    frame, shape = noise(*SIZE), SHAPES["lopsided"]
    flipped = shape.upside_down(SIZE[0]).to_polar(frame[::-1])
    assert np.abs(flipped[:, ::-1].astype(int) - shape.to_polar(frame)).max() <= 16, "a 32nd of a pixel"
    assert np.abs(flipped[:, ::-1].astype(int) - shape.to_polar(frame)).mean() < 0.1


@pytest.mark.parametrize(
    "box", [(20, 10, 140, 110), (20.3, 10.5, 140.9, 110.2), (-0.5, -0.5, 159.5, 119.5), (-9, 30, 90, 400)]
)
def test_rectangles_give_their_own_pixels(box: tuple[float, ...]) -> None:
    shape, frame = sa.SectorGeometry("rectangle", box), noise(*SIZE)
    polar, sector = shape.to_polar(frame), shape.rasterise(SIZE)
    if box[0] >= -0.5:
        np.testing.assert_array_equal(polar, frame[shape.crop_box(SIZE)])
    np.testing.assert_array_equal(shape.from_polar(polar, SIZE), np.where(sector, frame, 0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_numpy_and_torch_agree(shape: sa.SectorGeometry, dtype: type) -> None:
    frame = noise(*SIZE).astype(dtype)
    polar = shape.to_polar(frame)
    for ours, theirs in (
        (polar, shape.to_polar(torch.from_numpy(frame))),
        (shape.from_polar(polar, SIZE), shape.from_polar(torch.from_numpy(polar), SIZE)),
    ):
        assert theirs.numpy().dtype == dtype
        off = np.abs(ours.astype(float) - theirs.numpy())
        if dtype == np.uint8:  # halves may round either way
            assert off.max() <= 1 and (off > 0).mean() < 0.05
        else:
            assert off.max() < 0.01


def test_every_layout_is_plane_by_plane() -> None:
    shape, clip = SHAPES["lopsided"], noise(2, *SIZE, 7)
    before = clip.copy()
    for way in (lambda f: shape.to_polar(f, (50, 40)), lambda f: shape.from_polar(f, (150, 200))):
        whole = way(clip)
        assert whole.shape == (2, *way(clip[0, ..., 0]).shape, 7)
        np.testing.assert_array_equal(way(clip[0]), whole[0])
        np.testing.assert_array_equal(way(clip[..., 0]), whole[..., 0])
        np.testing.assert_array_equal(way(clip[0, ..., :1]), whole[0, ..., :1])
        np.testing.assert_array_equal(way(clip[1, ..., 3]), whole[1, ..., 3])
        tensor = torch.from_numpy(clip).movedim(-1, 1)[None]  # (B, T, C, H, W)
        apart = np.abs(way(tensor)[0].movedim(1, -1).numpy().astype(int) - whole)
        assert apart.max() <= 1 and apart.mean() < 0.01
    np.testing.assert_array_equal(clip, before)


def test_gradients_come_from_the_sector_alone() -> None:
    shape = SHAPES["cut straight"].scaled(0.1)
    frame = torch.rand(2, 12, 16, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: shape.from_polar(shape.to_polar(f), (12, 16)), frame)
    shape.to_polar(frame).sum().backward()
    assert frame.grad is not None
    assert not frame.grad[:, torch.from_numpy(~shape.rasterise((12, 16)))].any()
    half = shape.to_polar(torch.rand(12, 16, dtype=torch.float16))
    assert half.dtype == torch.float16


def test_numpy_needs_no_torch() -> None:
    code = """
import sys, numpy as np, sectoraug as sa
shape = sa.SectorGeometry("phased", (0, 0, 19, 19), (9.5, 1), (-0.5, 0.5), (1, 18))
shape.from_polar(shape.to_polar(np.ones((20, 20), np.uint8)), (20, 20))
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@st.composite
def geometries_in_the_picture(draw: st.DrawFn) -> sa.SectorGeometry:
    def number(low: float, high: float) -> float:
        return draw(st.floats(low, high))

    kind = draw(st.sampled_from(["phased", "curved", "trapezoid", "rectangle"]))
    left, top = number(0, 50), number(0, 40)
    box = left, top, left + number(30, 109), top + number(30, 79)
    if kind == "rectangle":
        return sa.SectorGeometry(kind, box)
    start, near = number(-1.2, 0.2), number(0, 60)
    middle = (box[0] + box[2]) / 2 + number(-10, 10), box[1] - 0.8 * near
    angles, radii = (start, start + number(0.4, 2.5)), (near, near + number(20, 90))
    return sa.SectorGeometry(kind, box, middle, angles, radii, number(0.6, 1.6))


@settings(max_examples=40, deadline=None)
@given(geometries_in_the_picture(), st.integers(0, 99))
def test_smooth_pictures_come_back_through_any_geometry(shape: sa.SectorGeometry, seed: int) -> None:
    sector = shape.rasterise(SIZE)
    if sector.sum() < 9:
        return
    rough = np.random.default_rng(seed).standard_normal(SIZE).astype(np.float32)
    smooth = cv2.normalize(cv2.GaussianBlur(rough, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
    error = np.abs(there_and_back(shape, smooth) - smooth)[sector]
    assert error.mean() < MEAN_OF_FANS and np.percentile(error, 99) < LARGEST_1_PERCENT_OF_FANS
    level = np.full((40, 30), 200, np.uint8)
    np.testing.assert_array_equal(shape.from_polar(level, SIZE), np.where(sector, 200, 0))
