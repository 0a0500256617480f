"""The phantom: what is said to be true of its frames is true, and they follow from the seed alone."""

from __future__ import annotations

import hashlib
from typing import Any

import cv2
import numpy as np
import pytest

import sectoraug as sa
from sectoraug import phantom

ALL = [(view, geometry) for view in phantom.VIEWS for geometry in ("fan", "curved", "linear")]


def digest(*arrays: np.ndarray) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()[:16]


def test_sa_phantom_is_the_module() -> None:
    assert sa.phantom is phantom
    assert phantom.VIEWS == ("PLAX", "PSAX", "A2C", "A4C")


@pytest.mark.parametrize(("view", "geometry"), ALL)
def test_a_clip_holds_what_is_promised(view: str, geometry: str) -> None:
    clip = sa.phantom.make_clip(view, 5, (96, 120), seed=2, geometry=geometry)
    assert clip.frames.shape == (5, 96, 120) and clip.frames.dtype == np.uint8
    assert clip.sector.shape == (96, 120) and clip.sector.dtype == np.bool_
    assert clip.overlay.shape == (5, 96, 120) and clip.overlay.dtype == np.bool_
    assert clip.view == view
    assert 0.2 < clip.sector.mean() < 0.9
    assert 0.05 < clip.frames[:, clip.sector].mean() / 255 < 0.6
    # One piece, without holes.
    assert cv2.connectedComponents(clip.sector.view(np.uint8))[0] == 2


@pytest.mark.parametrize("vendor", [*phantom.VENDORS, None])
@pytest.mark.parametrize("size", [(112, 112), (40, 64), (250, 230)])
def test_overlays_stay_outside_and_the_rest_of_the_background_is_black(
    vendor: str | None, size: tuple[int, int]
) -> None:
    clip = sa.phantom.make_clip("A2C", 3, size, seed=5, vendor=vendor)
    assert not clip.overlay[:, clip.sector].any()
    background = clip.frames * ~clip.sector
    assert np.array_equal(background > 0, clip.overlay)
    assert clip.overlay.any() == (vendor is not None)


def test_vendors_and_patients_differ() -> None:
    clips = [sa.phantom.make_clip(frames=1, vendor=vendor) for vendor in phantom.VENDORS]
    assert len({digest(clip.overlay) for clip in clips}) == len(phantom.VENDORS)
    assert len({digest(clip.frames[0][clip.sector]) for clip in clips}) == 1
    seeds = [sa.phantom.make_clip(frames=1, seed=seed, vendor=None) for seed in range(4)]
    assert len({digest(clip.frames) for clip in seeds}) == 4


@pytest.mark.parametrize(("view", "geometry"), ALL)
def test_hearts_beat_and_come_back(view: str, geometry: str) -> None:
    clip = sa.phantom.make_clip(view, 25, geometry=geometry, beat_frames=24, noise=0, vendor=None)
    frames = clip.frames[:, clip.sector].astype(np.float32)
    swing = np.abs(frames - frames[0]).mean(1)
    assert swing.max() > 4 and swing.argmax() in range(5, 16)
    assert swing[24] < 0.1


def test_the_ecg_moves_and_text_stands_still() -> None:
    moving = sa.phantom.make_clip(frames=6, vendor="boreal").overlay
    still = sa.phantom.make_clip(frames=6, vendor="aster").overlay
    assert (moving[0] != moving[5]).any() and (moving[:, :60] == moving[0, :60]).all()
    assert (still == still[0]).all()


@pytest.mark.parametrize("view", phantom.VIEWS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_sector_is_found_from_motion(view: str, seed: int) -> None:
    clip = sa.phantom.make_clip(view, 32, seed=seed, vendor=None)
    found = sa.sector_from_clip(clip.frames, "hull").sector
    assert (found & clip.sector).sum() / (found | clip.sector).sum() > 0.9


def test_frames_follow_from_the_seed_on_every_machine() -> None:
    first = [sa.phantom.make_clip(v, 3, seed=7, geometry=g, vendor="dune") for v, g in ALL]
    again = [sa.phantom.make_clip(v, 3, seed=7, geometry=g, vendor="dune") for v, g in ALL]
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.frames, b.frames) and np.array_equal(a.overlay, b.overlay)
    assert digest(*(clip.frames for clip in first)) == CLIPS
    assert digest(*(clip.sector for clip in first)) == SECTORS


CLIPS, SECTORS = "f021280817b7e127", "1a024162fc721570"
DATA = {
    ("phantom-v1", "train"): "205b583a1a69a008",
    ("phantom-v1", "shifted"): "8c606b232fcd544c",
    ("benchmark-v1", "train"): "0bfbdaf891ce1946",
    ("benchmark-v1", "shifted"): "2ad06e6f577752dc",
}


@pytest.mark.parametrize(("preset", "domain"), DATA)
def test_a_published_preset_never_changes(preset: str, domain: str) -> None:
    data = sa.phantom.make_dataset(16, 0.5, 0.5, seed=3, domain=domain, preset=preset)
    assert digest(data.images, data.sectors, data.labels, data.sites) == DATA[preset, domain]


def test_every_preset_is_held() -> None:
    assert {preset for preset, _ in DATA} == set(phantom.PRESETS)


def test_a_longer_data_set_starts_like_a_shorter_one() -> None:
    short, long = sa.phantom.make_dataset(9, seed=4), sa.phantom.make_dataset(12, seed=4)
    assert np.array_equal(long.images[:9], short.images)


@pytest.fixture(scope="module")
def many() -> phantom.PhantomDataset:
    return sa.phantom.make_dataset(800, 0.8, 0.6, seed=1, size=(32, 40))


def test_a_data_set_holds_what_is_promised(many: phantom.PhantomDataset) -> None:
    assert many.images.shape == many.sectors.shape == (800, 32, 40)
    assert many.images.dtype == np.uint8 and many.sectors.dtype == np.bool_
    assert many.labels.dtype == np.int64
    assert np.bincount(many.labels).tolist() == [200] * 4
    assert all(len(a) == 800 for a in (many.labels, many.patients, many.sites, many.layouts, many.outlines))


def test_patients_give_several_frames_at_one_site(many: phantom.PhantomDataset) -> None:
    for patient in np.unique(many.patients):
        own = many.patients == patient
        assert own.sum() == 8
        assert len(set(many.sites[own].tolist())) == 1
        assert set(many.labels[own].tolist()) == {0, 1, 2, 3}
    other = sa.phantom.make_dataset(64, seed=1, size=(32, 40), domain="shifted")
    assert not set(other.sites.tolist()) & set(many.sites.tolist())


def test_shortcuts_have_the_strength_asked_for(many: phantom.PhantomDataset) -> None:
    # Four standard errors of a share over 800 frames are under 0.07.
    assert (many.layouts == many.labels).mean() == pytest.approx(0.8 + 0.2 / 4, abs=0.05)
    assert (many.outlines == many.labels).mean() == pytest.approx(0.6 + 0.4 / 4, abs=0.07)


def test_the_overlay_shortcut_changes_backgrounds_only() -> None:
    tied, free = (sa.phantom.make_dataset(24, share, seed=5, domain="shifted") for share in (1, 0))
    assert np.array_equal(tied.sectors, free.sectors)
    assert np.array_equal(tied.images[tied.sectors], free.images[free.sectors])
    assert (tied.images != free.images).any()


@pytest.mark.parametrize(("shortcut", "share"), [(0.0, 0.25), (1.0, 1.0)])
def test_shortcuts_at_their_ends(shortcut: float, share: float) -> None:
    data = sa.phantom.make_dataset(400, shortcut, shortcut, seed=2, size=(32, 32))
    assert (data.layouts == data.labels).mean() == pytest.approx(share, abs=0.09)
    assert (data.outlines == data.labels).mean() == pytest.approx(share, abs=0.09)


def test_the_outline_knob_opens_the_sector_by_label() -> None:
    def openness(data: phantom.PhantomDataset) -> list[float]:
        shares = [(s.any(0).sum() / s.any(1).sum()) for s in data.sectors]
        return [
            float(np.mean([s for s, n in zip(shares, data.labels, strict=True) if n == k])) for k in range(4)
        ]

    tied = openness(sa.phantom.make_dataset(160, 0, 1, seed=6, size=(112, 112)))
    free = openness(sa.phantom.make_dataset(160, 0, 0, seed=6, size=(112, 112)))
    assert tied == sorted(tied) and tied[3] - tied[0] > 0.25
    assert max(free) - min(free) < 0.12


def test_views_look_different_inside_the_sector() -> None:
    """The mean pictures of the views differ more than two means of one view do."""
    data = sa.phantom.make_dataset(320, 0, seed=8, size=(48, 48))
    inside = data.images * data.sectors
    means = np.array([inside[data.labels == k].mean(0) for k in range(4)])
    halves = np.array([inside[data.labels == k][::2].mean(0) for k in range(4)])
    between = min(np.abs(means[a] - means[b]).mean() for a in range(4) for b in range(a))
    assert between > 2 * np.abs(means - halves).mean()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"view": "A3C"}, ValueError, "view is 'A3C'; expected one of 'PLAX', 'PSAX'"),
        ({"frames": 0}, ValueError, r"frames is 0; expected a number in \[1, 4096\]"),
        ({"frames": 2.5}, ValueError, "frames is 2.5; expected a whole number"),
        ({"size": 112}, TypeError, r"size is an int; expected \(height, width\) in pixels"),
        ({"size": (112, 8)}, ValueError, "width is 8; expected a number in"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"seed": 2**32}, ValueError, "seed is 4294967296"),
        ({"vendor": "acme"}, ValueError, "vendor is 'acme'; expected one of 'aster'"),
        ({"geometry": "square"}, ValueError, "geometry is 'square'"),
        ({"gain": "high"}, TypeError, "gain is a str; expected a number"),
        ({"haze": 2}, ValueError, "haze is 2"),
    ],
)
def test_bad_clip_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sa.phantom.make_clip(**arguments)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n": 0}, ValueError, "n is 0"),
        ({"n": 4, "shortcut": 1.2}, ValueError, "shortcut is 1.2"),
        ({"n": 4, "outline_shortcut": True}, TypeError, "outline_shortcut is a bool"),
        ({"n": 4, "domain": "test"}, ValueError, "domain is 'test'; expected one of 'train', 'shifted'"),
        ({"n": 4, "preset": "v0"}, ValueError, "preset is 'v0'; expected one of 'phantom-v1'"),
    ],
)
def test_bad_data_set_arguments(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        sa.phantom.make_dataset(**arguments)


def test_no_pixels_in_reprs() -> None:
    clip = sa.phantom.make_clip(frames=8)
    shown = (clip, sa.phantom.make_dataset(2, size=(32, 32)), sa.sector_from_clip(clip.frames))
    assert [repr(each).split("(")[0] for each in shown] == ["PhantomClip", "PhantomDataset", "SectorEstimate"]
    assert not any(word in repr(shown) for word in ("True", "False", "uint8", "..."))
