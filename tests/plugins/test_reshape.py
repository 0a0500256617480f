"""Another outline for the same echoes, on whichever albumentations is installed."""

from __future__ import annotations

import json
from typing import Any

import albumentations as A
import numpy as np
import pytest

import sectoraug as sa
from sectoraug.sectors.outline.reshape import Reshaping

SHAPES = {
    "phased": sa.SectorGeometry("phased", (0, 0, 127, 127), (63.5, 6), (-0.7, 0.7), (2, 110)),
    "curved": sa.SectorGeometry("curved", (0, 0, 127, 127), (63.5, -20), (-0.5, 0.6), (40, 130)),
    "stretched": sa.SectorGeometry(
        "curved", (0, 0, 127, 127), (63.5, -10), (-0.8, 0.8), (20, 70), pixel_aspect=0.6
    ),
    "rectangle": sa.SectorGeometry("rectangle", (20, 10, 100, 110)),
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> sa.SectorGeometry:
    return SHAPES[request.param]


def sector_of(shape: sa.SectorGeometry) -> np.ndarray:
    return shape.rasterise((128, 128)).astype(np.uint8)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a != 0, b != 0
    return (a & b).sum() / (a | b).sum()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, shape, dtype=np.uint8)


def test_no_change_changes_nothing(shape: sa.SectorGeometry) -> None:
    sector, image = sector_of(shape), noise(128, 128, 3)
    same = Reshaping(shape, sector, 1.0, 1.0)
    assert iou(same.sector, sector) > 0.97, "the rim may lose half a pixel"
    here = same.sector != 0
    assert np.abs(same.image(image)[here].astype(int) - image[here]).max() <= 1
    np.testing.assert_array_equal(same.image(image)[sector == 0], image[sector == 0])


def test_the_new_sector_has_the_new_outline(shape: sa.SectorGeometry) -> None:
    made = Reshaping(shape, sector_of(shape), 0.8, 0.9, (5.0, 3.0))
    assert iou(made.sector, made.shape.rasterise((128, 128))) > 0.96
    if shape.apex_px is not None:
        assert made.shape.opening_rad == pytest.approx(0.8 * shape.opening_rad)
        assert made.shape.apex_px == (shape.apex_px[0] + 5, shape.apex_px[1] + 3)
    assert made.shape.depth_px == pytest.approx(0.9 * shape.depth_px)


def test_echoes_go_along_the_beams() -> None:
    shape = SHAPES["phased"]
    x, y = np.meshgrid(np.arange(128), np.arange(128))
    angle = np.arctan2(x - 63.5, y - 6)
    image = ((angle + 1) * 100).astype(np.float32)
    made = Reshaping(shape, sector_of(shape), 0.5, 1.0)
    deep = (made.sector != 0) & (y > 60)
    wanted = (angle / 0.5 + 1) * 100
    assert np.abs(made.image(image) - wanted)[deep].max() < 2


def test_only_echoes_come_in_and_the_rim_keeps_its_level() -> None:
    shape = SHAPES["curved"]
    sector = sector_of(shape)
    image = np.where(sector, 100, 255).astype(np.uint8)
    for opening, depth in ((0.8, 0.8), (1.25, 1.2), (1.0, 0.7)):
        made = Reshaping(shape, sector, opening, depth, (3.3, -2.1))
        out = made.image(image)
        assert (out[made.sector != 0] == 100).all()
        assert (out[(made.sector == 0) & (sector != 0)] == 0).all()
        assert (out[(made.sector == 0) & (sector == 0)] == 255).all()


def test_a_sector_that_lacks_corners_lacks_them_after() -> None:
    shape = SHAPES["phased"]
    sector = sector_of(shape)
    sector[:, :40] = 0
    made = Reshaping(shape, sector, 1.1, 1.0)
    assert not made.sector[90:, :30].any() and made.sector[90, 60]


def compose(**changes: Any) -> A.Compose:
    return A.Compose([sa.ReshapeSector(**{"p": 1.0, **changes})], seed=3)


def test_image_clip_sector_and_geometry_go_together() -> None:
    shape, sector = SHAPES["phased"], sector_of(SHAPES["phased"])
    image = noise(128, 128)
    one = compose()(image=image, mask=sector, geometry=shape)
    clip = compose()(images=np.stack([image, 255 - image]), mask=sector * 255, geometry=shape)
    np.testing.assert_array_equal(one["image"], clip["images"][0])
    np.testing.assert_array_equal(one["mask"] * 255, clip["mask"])
    assert clip["mask"].dtype == np.uint8 and set(np.unique(clip["mask"])) == {0, 255}
    assert one["geometry"] != shape
    assert iou(one["geometry"].rasterise((128, 128)), one["mask"]) > 0.96
    fitted = compose()(image=image, mask=sector)
    assert iou(fitted["mask"], one["mask"]) > 0.93 and "geometry" not in fitted


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("channels", [(), (1,), (3,), (7,)])
def test_every_kind_of_image(dtype: Any, channels: tuple[int, ...]) -> None:
    shape, sector = SHAPES["phased"], sector_of(SHAPES["phased"]).astype(bool)
    image = (noise(128, 128, *channels) / (1 if dtype == np.uint8 else 255)).astype(dtype)
    before = image.copy()
    out = compose()(image=image, mask=sector, geometry=shape)
    assert out["image"].shape == image.shape and out["image"].dtype == dtype and out["mask"].dtype == bool
    assert out["image"].max() <= image.max()
    np.testing.assert_array_equal(image, before)


def test_draws_stay_in_their_ranges_and_differ() -> None:
    transform = sa.ReshapeSector(opening=(0.5, 0.8), depth=(1.1, 2.0), shift=0.1)
    drawn = [transform.draw(bits, {}) for bits in range(300)]
    openings, depths, shifts = (np.array([d[k] for d in drawn]) for k in ("opening", "depth", "right"))
    assert 0.5 <= openings.min() < 0.52 and 0.78 < openings.max() <= 0.8
    assert depths.min() >= 1.1 and depths.max() <= 2.0 and np.abs(shifts).max() <= 0.1
    assert np.median(depths) == pytest.approx(np.sqrt(1.1 * 2.0), rel=0.05)
    json.dumps(drawn[0])


def test_before_backmix_no_old_background_is_left() -> None:
    shape, sector = SHAPES["phased"], sector_of(SHAPES["phased"])
    pool = sa.BackgroundPool.from_arrays(np.full((2, 128, 128), 9, np.uint8), np.stack([sector] * 2))
    train = A.Compose([sa.ReshapeSector(p=1.0), sa.BackMix(pool)])
    out = train(image=np.full((128, 128), 200, np.uint8), mask=sector, geometry=shape, backmixed=False)
    assert set(np.unique(out["image"][out["mask"] == 0])) <= {0, 9} and out["backmixed"]
    assert (out["image"][out["mask"] != 0] == 200).all()


def test_missing_sectors_are_skipped_if_asked() -> None:
    image = noise(128, 128)
    out = compose(missing="skip")(image=image, mask=np.zeros((128, 128), np.uint8))
    np.testing.assert_array_equal(out["image"], image)


def test_serialised_and_back() -> None:
    transform = A.Compose([sa.ReshapeSector((0.9, 1.1), (0.7, 1.0), 1.0, shift=0.0)], seed=1)
    again = A.from_dict(A.to_dict(transform))
    again.set_random_seed(1)
    shape, sector, image = SHAPES["phased"], sector_of(SHAPES["phased"]), noise(128, 128)
    first = transform(image=image, mask=sector, geometry=shape)
    np.testing.assert_array_equal(first["image"], again(image=image, mask=sector, geometry=shape)["image"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"opening": (1.25, 0.8)}, r"opening is \(1.25, 0.8\); expected the lower factor first"),
        ({"opening": (0.1, 1.0)}, "opening is 0.1; expected"),
        ({"depth": 1.2}, r"depth is 1.2; expected the lowest and the highest factor, such as"),
        ({"shift": 0.7}, "shift is 0.7; expected"),
    ],
)
def test_bad_arguments_are_one_sentence(changes: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        sa.ReshapeSector(**changes)


def test_bad_geometry_is_one_sentence() -> None:
    sector = sector_of(SHAPES["phased"])
    given = {"image": noise(128, 128), "mask": sector}
    with pytest.raises(TypeError, match="geometry is a str; expected a SectorGeometry or None"):
        compose()(**given, geometry="fan")
    with pytest.raises(
        ValueError, match="the outline has an IoU of 0.* with the sector; expected 0.8 or more"
    ):
        compose()(**given, geometry=SHAPES["phased"].scaled(2))
    with pytest.raises(ValueError, match="the outline has an IoU of 0.* with the sector"):
        compose()(image=noise(128, 128), mask=(noise(128, 128) > 200).astype(np.uint8))


@pytest.mark.parametrize("seed", range(3))
def test_outlines_are_fitted_back_from_masks(shape: sa.SectorGeometry, seed: int) -> None:
    moved = shape.scaled(1 + 0.1 * seed)
    sector = moved.rasterise((150, 150))
    if shape.pixel_aspect == 1:
        assert iou(sa.fit_outline(sector).rasterise((150, 150)), sector) > 0.96
