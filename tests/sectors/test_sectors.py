from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest

import sectoraug as sa
from sectoraug.sectors.clues.motion import threshold_region
from sectoraug.sectors.clues.parts import mean_absolute_difference
from sectoraug.sectors.outline.fit import refine
from sectoraug.sectors.outline.search import search

pydicom = pytest.importorskip("pydicom")

SIZE = (240, 320)
FULL = (0, 0, 319, 239)
SHAPES = {
    "phased": sa.SectorGeometry("phased", FULL, (160, 8), (-0.7, 0.7), (4, 215)),
    "curved": sa.SectorGeometry("curved", FULL, (160, -70), (-0.55, 0.55), (100, 290)),
    "trapezoid": sa.SectorGeometry("trapezoid", (0, 20, 319, 215), (160, -700), (-0.11, 0.11), (600, 950)),
    "rectangle": sa.SectorGeometry("rectangle", (80, 15, 240, 220)),
    "off the left": sa.SectorGeometry("phased", FULL, (90, 8), (-0.7, 0.7), (4, 215)),
    "off the bottom": sa.SectorGeometry("curved", FULL, (160, -70), (-0.55, 0.55), (100, 360)),
    "apex below": sa.SectorGeometry("phased", FULL, (160, 231), (np.pi - 0.7, np.pi + 0.7), (4, 215)),
    "stretched": sa.SectorGeometry("phased", FULL, (160, 8), (-0.7, 0.7), (4, 170), 0.8),
}


@pytest.fixture(scope="module")
def echo() -> np.ndarray:
    from pydicom import examples

    return sa.read_clip(examples.get_path("ybr_color"))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def speckle(frames: int, size: tuple[int, int] = SIZE, seed: int = 0) -> np.ndarray:
    """Grain a few pixels wide that changes slowly, over tissue that stays: (T, H, W) uint8, all above 0."""
    rng = np.random.default_rng(seed)
    tissue = cv2.GaussianBlur(rng.standard_normal(size), (0, 0), 12)
    grain = rng.standard_normal((frames + 4, *size))
    grain = np.stack([cv2.GaussianBlur(grain[k : k + 4].mean(0), (0, 0), 1.5) for k in range(frames)])
    picture = 70 + 25 * tissue / tissue.std() + 20 * grain / grain.std()
    return np.clip(picture, 1, 255).astype(np.uint8)


def clip_of(shape: sa.SectorGeometry, frames: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """A clip with text beside the sector, and the sector."""
    sector = shape.rasterise(SIZE)
    clip = speckle(frames)
    clip[:, ~sector] = 0
    text = np.zeros(SIZE, np.uint8)
    cv2.putText(text, "MI 0.9", (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 200, 1)
    clip[:, (text > 0) & ~sector] = 200
    return clip, sector


def test_read_clip_reads_real_dicom(echo: np.ndarray) -> None:
    from pydicom import examples

    assert echo.shape == (30, 240, 320, 3)
    assert echo.dtype == np.uint8
    grey = sa.read_clip(examples.get_path("ybr_color"), grey=True)
    assert grey.shape == (30, 240, 320)
    assert sa.read_clip(examples.get_path("rgb_color")).shape == (1, 240, 320, 3)
    palette = sa.read_clip(examples.get_path("palette_color"))
    assert palette.shape == (1, 350, 800, 3)
    assert palette.max() > 100


def test_read_clip_names_what_it_cannot_read(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no DICOM")
    with pytest.raises(OSError, match=r"text\.dcm is no readable DICOM image"):
        sa.read_clip(tmp_path / "text.dcm")
    with pytest.raises(FileNotFoundError):
        sa.read_clip(tmp_path / "nowhere.dcm")
    from pydicom import examples

    with pytest.raises((ValueError, OSError), match="ct"):
        sa.read_clip(examples.get_path("ct"))


def test_the_absolute_difference_does_not_telescope() -> None:
    frames = np.zeros((3, 4, 4), np.uint8)
    frames[1] = 9
    assert np.array_equal(mean_absolute_difference(frames), np.full((4, 4), 9, np.float32))


@pytest.mark.parametrize("name", SHAPES)
def test_every_geometry_is_found(name: str) -> None:
    clip, sector = clip_of(SHAPES[name])
    found = sa.sector_from_clip(clip)
    assert found.geometry is not None
    print(name, round(iou(found.sector, sector), 4), round(found.quality, 3), found.geometry)
    assert iou(found.sector, sector) > 0.97
    assert found.quality > 0.5
    assert found.sector.dtype == bool
    if name in ("phased", "curved", "trapezoid", "rectangle"):
        assert found.geometry.kind == name


@pytest.mark.parametrize("name", ["phased", "curved", "rectangle"])
def test_a_still_is_found_by_its_brightness(name: str) -> None:
    clip, sector = clip_of(SHAPES[name])
    still, moving = sa.sector_from_image(clip[0]), sa.sector_from_clip(clip)
    assert iou(still.sector, sector) > 0.95
    assert "a still" in still.note
    assert min(still.quality, moving.quality) > 0.5


@pytest.mark.parametrize("name", ["phased", "curved", "rectangle"])
def test_a_fit_survives_holes_noise_and_bad_starts(name: str) -> None:
    sector = SHAPES[name].rasterise(SIZE)
    rng = np.random.default_rng(1)
    echo = sector & (rng.random(SIZE) < 0.8) | (rng.random(SIZE) < 0.03)
    echo[120:170, 140:185] = False
    weight = np.where(echo, 1, -0.5).astype(np.float32)
    best = max(chain.from_iterable(search(weight)), key=lambda shape: weight[shape.rasterise(SIZE)].sum())
    assert iou(best.rasterise(SIZE), sector) > 0.93
    fine = refine(best, cv2.blur(echo.astype(np.float32), (3, 3)))
    assert iou(fine.rasterise(SIZE), sector) > 0.97
    assert refine(best, cv2.blur(echo.astype(np.float32), (3, 3))) == fine


def test_frames_may_come_one_by_one_in_memory_that_is_used_again() -> None:
    clip, _ = clip_of(SHAPES["phased"], 12)
    memory = np.empty(SIZE, np.uint8)

    def stream() -> Iterator[np.ndarray]:
        for frame in clip:
            memory[...] = frame
            yield memory

    whole, streamed = sa.sector_from_clip(clip), sa.sector_from_clip(stream())
    assert np.array_equal(whole.sector, streamed.sector)
    assert (whole.geometry, whole.quality, whole.note) == (streamed.geometry, streamed.quality, streamed.note)
    in_colour = sa.sector_from_clip(np.repeat(clip[..., None], 3, 3))
    assert iou(in_colour.sector, whole.sector) > 0.99


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (40, 5), (17, 31)])
def test_odd_sizes_and_strides_are_answered_or_refused(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    grain = rng.integers(0, 256, (4, *size), dtype=np.uint8)
    ramp = np.broadcast_to(np.linspace(0, 255, size[1]).astype(np.uint8), (4, *size))
    for frames in (grain, ramp, grain[:, ::-1, ::-1], np.zeros_like(grain), grain // 255 * 255):
        try:
            found = sa.sector_from_clip(frames)
        except sa.SectorNotFound:
            continue
        assert found.sector.shape == size
        assert 0 <= found.quality <= 1


def test_memory_does_not_grow_with_the_clip() -> None:
    clip, _ = clip_of(SHAPES["phased"], 20)
    peaks = []
    for rounds in (1, 15):
        tracemalloc.start()
        mean_absolute_difference(frame for _ in range(rounds) for frame in clip)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_the_whole_frame_is_found_as_such() -> None:
    found = sa.sector_from_clip(speckle(10))
    assert found.sector.all()
    assert "whole frame" in found.note
    assert found.geometry == sa.SectorGeometry.whole_frame(SIZE)


def test_a_moving_ecg_and_text_do_not_leak() -> None:
    clip, sector = clip_of(SHAPES["phased"], 16)
    burned = np.zeros(clip.shape, bool)
    columns = np.arange(20, 300)
    rows = (205 + 12 * np.sin(columns / 9)).astype(int)
    for k in range(len(clip)):
        drawn = np.abs((columns - 20 * k) % 280) > 12
        burned[k, rows[drawn], columns[drawn]] = True
    burned &= ~sector
    clip[burned] = 220
    found = sa.sector_from_clip(clip)
    assert not (found.sector & burned.any(0)).any()
    assert iou(found.sector, sector) > 0.97
    assert sa.sector_from_clip(clip, "hull").sector[:, :40][rows[:20], columns[:20]].sum() == 0


def test_a_static_clip_is_treated_as_a_still() -> None:
    clip, sector = clip_of(SHAPES["curved"])
    found = sa.sector_from_clip(np.repeat(clip[:1], 5, 0))
    assert iou(found.sector, sector) > 0.95
    assert "nothing in it moves" in found.note
    with pytest.raises(sa.SectorNotFound, match=r"0\.0% of the frame"):
        sa.sector_from_clip(np.repeat(clip[:1], 5, 0), "hull")
    with pytest.raises(sa.SectorNotFound, match="knows motion only"):
        sa.sector_from_clip(clip[:1], "hull")


def test_noise_is_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, *SIZE), dtype=np.uint8)
    with pytest.raises(sa.SectorNotFound, match="pure noise"):
        sa.sector_from_clip(noise)
    with pytest.raises(sa.SectorNotFound, match="pure noise"):
        sa.sector_from_image(noise[0])


def test_a_sector_under_white_noise_is_still_found() -> None:
    clip, sector = clip_of(SHAPES["phased"], 16)
    noise = np.random.default_rng(0).normal(0, 2, clip.shape).round()
    found = sa.sector_from_clip(np.clip(clip + noise, 0, 255).astype(np.uint8))
    assert iou(found.sector, sector) > 0.95


def test_two_views_are_refused() -> None:
    clip = speckle(10)
    left = sa.SectorGeometry("phased", FULL, (80, 30), (-0.5, 0.5), (3, 140)).rasterise(SIZE)
    clip[:, ~(left | left[:, ::-1])] = 0
    with pytest.raises(sa.SectorNotFound, match="dual views"):
        sa.sector_from_clip(clip)


def test_a_picture_above_an_m_mode_strip_is_refused() -> None:
    clip = speckle(10)
    fan = sa.SectorGeometry("phased", FULL, (160, 4), (-0.6, 0.6), (3, 110)).rasterise(SIZE)
    strip = np.zeros(SIZE, bool)
    strip[135:230, 20:300] = True
    clip[:, ~(fan | strip)] = 0
    with pytest.raises(sa.SectorNotFound, match="M-mode"):
        sa.sector_from_clip(clip)


@pytest.mark.parametrize("how", ["scrolls", "sweeps"])
def test_a_strip_alone_is_refused(how: str) -> None:
    clip = np.zeros((16, *SIZE), np.uint8)
    strip = speckle(2, (150, 900), seed=3)
    for k in range(16):
        if how == "scrolls":
            clip[k, 40:190, 10:310] = strip[0][:, 6 * k : 6 * k + 300]
        else:
            swept = (np.arange(300) < 20 * k)[None]
            clip[k, 40:190, 10:310] = np.where(swept, strip[0][:, :300], strip[1][:, 300:600])
    with pytest.raises(sa.SectorNotFound, match="scrolls or is swept"):
        sa.sector_from_clip(clip)


def test_a_doppler_box_is_named_and_does_not_become_the_sector() -> None:
    clip, sector = clip_of(SHAPES["phased"])
    colour = np.repeat(clip[..., None], 3, 3)
    flow = speckle(len(clip), seed=5)[:, 90:150, 130:190]
    colour[:, 90:150, 130:190, 0] = np.where(flow > 70, 230, 20)
    colour[:, 90:150, 130:190, 2] = np.where(flow > 70, 20, 230)
    colour[:, 90:150, 130:190, 1] = 20
    found = sa.sector_from_clip(colour)
    assert iou(found.sector, sector) > 0.97
    assert "Doppler" in found.note


@pytest.mark.parametrize(
    ("frames", "error", "said"),
    [
        (np.zeros((4, *SIZE), np.uint8), sa.SectorNotFound, "all pixels are alike"),
        (np.zeros(SIZE, np.uint8), ValueError, "use sector_from_image"),
        ([], ValueError, "frames is empty"),
        (np.zeros((2, 8, 8), np.float32), TypeError, "expected uint8"),
        ([np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8)], ValueError, "expected one size"),
    ],
)
def test_what_is_no_clip_is_named(frames: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        sa.sector_from_clip(frames)


def test_an_adaptive_threshold_only_takes_away() -> None:
    clip, _ = clip_of(SHAPES["phased"])
    difference = mean_absolute_difference(clip)
    everything = threshold_region(difference)
    for c in (-1.0, 0.5):
        part = threshold_region(difference, adaptive_block_px=31, adaptive_c=c)
        assert part.any()
        assert not (part & ~everything).any()
    strict = threshold_region(difference, adaptive_block_px=31, adaptive_c=0.5)
    assert strict.sum() < 0.6 * everything.sum()


@pytest.mark.parametrize("geometry", ["fan", "curved", "linear"])
@pytest.mark.parametrize("vendor", ["aster", "dune", "harbor"])
def test_phantoms_of_every_geometry(geometry: str, vendor: str) -> None:
    clip = sa.phantom.make_clip(frames=12, size=SIZE, seed=7, vendor=vendor, geometry=geometry)
    found = sa.sector_from_clip(clip.frames)
    assert iou(found.sector, clip.sector) > 0.93
    assert not (found.sector & clip.overlay.any(0)).any()


def hand_drawn(folder: Path, name: str) -> np.ndarray:
    by_file = {entry["file"]: entry for entry in json.loads((folder / "sectors.json").read_text())}
    return cv2.imread(str(folder / by_file[name]["sector"]), cv2.IMREAD_GRAYSCALE) > 0


def test_the_real_echo_clip(echo: np.ndarray, real_data: Path) -> None:
    drawn = hand_drawn(real_data, "pydicom:ybr_color")
    for method, lowest in (("threshold", 0.9), ("filled", 0.9), ("hull", 0.95), ("fan", 0.98)):
        estimate = sa.sector_from_clip(echo, method)
        print(method, round(iou(estimate.sector, drawn), 3), round(estimate.quality, 3))
        assert iou(estimate.sector, drawn) > lowest, method


def test_a_second_real_echo_clip_of_stretched_pixels(real_data: Path) -> None:
    name = "echo_toolkit/a4c_sequence.npz"
    with np.load(real_data / name, allow_pickle=False) as stored:
        frames = stored[stored.files[0]]
    drawn = hand_drawn(real_data, name)
    assert iou(sa.sector_from_clip(frames, "hull").sector, drawn) > 0.96
    found = sa.sector_from_clip(frames)
    assert iou(found.sector, drawn) > 0.98
    assert found.geometry is not None
    assert abs(found.geometry.pixel_aspect - 1) > 0.05


def test_a_real_full_frame_clip_has_no_background(real_data: Path) -> None:
    frames = []
    video = cv2.VideoCapture(str(real_data / "pocus_prospective/Pneu_prospective_file3.mp4"))
    while len(frames) < 60 and (read := video.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    found = sa.sector_from_clip(frames)
    assert found.sector.all()
    assert "whole frame" in found.note
