from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import sectoraug as sa
from sectoraug.sectors.motion import mean_absolute_difference

pydicom = pytest.importorskip("pydicom")


@pytest.fixture(scope="module")
def echo() -> np.ndarray:
    from pydicom import examples

    return sa.read_clip(examples.get_path("ybr_color"))


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def moving_clip(sector: np.ndarray, frames: int = 8) -> np.ndarray:
    rng = np.random.default_rng(0)
    clip = rng.integers(0, 256, (frames, *sector.shape), dtype=np.uint8)
    clip[:, ~sector] = rng.integers(0, 256, (~sector).sum(), dtype=np.uint8)
    return clip


def fan() -> np.ndarray:
    sector = np.zeros((120, 160), np.uint8)
    cv2.ellipse(sector, (80, 5), (110, 110), 0, 55, 125, 1, -1)
    return sector.astype(bool)


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


@pytest.mark.parametrize(("method", "lowest"), [("threshold", 0.97), ("filled", 0.97), ("hull", 0.97)])
def test_a_moving_fan_is_found(method: str, lowest: float) -> None:
    estimate = sa.sector_from_clip(moving_clip(fan()), method)
    assert iou(estimate.sector, fan()) > lowest
    assert estimate.sector.dtype == bool
    assert estimate.geometry is None
    assert 0.9 < estimate.quality <= 1


def test_a_moving_ecg_does_not_stretch_the_hull() -> None:
    clip = moving_clip(fan())
    clip[np.arange(8), 116, 10 + 15 * np.arange(8)] = 255
    with_ecg = sa.sector_from_clip(clip).sector
    assert not with_ecg[116, :20].any()
    assert iou(with_ecg, fan()) > 0.97


def test_quality_falls_where_the_hull_is_guessed() -> None:
    holed = fan()
    holed[60:100, 60:100] = False
    assert (
        sa.sector_from_clip(moving_clip(holed)).quality
        < sa.sector_from_clip(moving_clip(fan())).quality - 0.05
    )


def test_a_static_clip_has_no_sector() -> None:
    with pytest.raises(sa.SectorNotFound, match=r"0\.0% of the frame"):
        sa.sector_from_clip(np.repeat(moving_clip(fan())[:1], 5, 0))


def test_one_frame_has_no_motion() -> None:
    with pytest.raises(ValueError, match="two or more frames"):
        sa.sector_from_clip(np.zeros((1, 20, 20), np.uint8))


def test_the_real_echo_clip(echo: np.ndarray, real_data: Path) -> None:
    by_file = {entry["file"]: entry for entry in json.loads((real_data / "sectors.json").read_text())}
    drawn = cv2.imread(str(real_data / by_file["pydicom:ybr_color"]["sector"]), cv2.IMREAD_GRAYSCALE) > 0
    for method, lowest in (("threshold", 0.9), ("filled", 0.9), ("hull", 0.95)):
        estimate = sa.sector_from_clip(echo, method)
        print(method, round(iou(estimate.sector, drawn), 3), round(estimate.quality, 3))
        assert iou(estimate.sector, drawn) > lowest, method


def test_a_second_real_echo_clip(real_data: Path) -> None:
    by_file = {entry["file"]: entry for entry in json.loads((real_data / "sectors.json").read_text())}
    name = "echo_toolkit/a4c_sequence.npz"
    drawn = cv2.imread(str(real_data / by_file[name]["sector"]), cv2.IMREAD_GRAYSCALE) > 0
    with np.load(real_data / name, allow_pickle=False) as stored:
        frames = stored[stored.files[0]]
    estimate = sa.sector_from_clip(frames)
    print(frames.shape, frames.dtype, round(iou(estimate.sector, drawn), 3))
    assert iou(estimate.sector, drawn) > 0.96
