"""DICOM files whose header says another number of frames than they hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import sectoraug as sa

pydicom = pytest.importorskip("pydicom")
from clip_files import COLOUR, GREY  # noqa: E402
from dicom_clips import as_422, make_dicom  # noqa: E402
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames  # noqa: E402
from pydicom.uid import RLELossless  # noqa: E402

N = len(GREY)


def saying(path: Path, n: int | None) -> Path:
    """The same file under a header that says `n` frames, or nothing of them."""
    data = pydicom.dcmread(path)
    if n is None:
        del data.NumberOfFrames
    else:
        data.NumberOfFrames = n
    data.save_as(path)
    return path


def rle(path: Path) -> Path:
    data = pydicom.dcmread(make_dicom(path, GREY))
    data.compress(RLELossless)
    data.save_as(path)
    return path


def jpeg(path: Path, fragments: int, table: bool) -> Path:
    data = pydicom.dcmread(make_dicom(path, COLOUR, "YBR_FULL_422"))
    frames = list(generate_frames(data.PixelData, number_of_frames=N))
    data.PixelData = encapsulate(frames, fragments_per_frame=fragments, has_bot=table)
    data["PixelData"].is_undefined_length = True
    data.save_as(path)
    return path


def extended(path: Path) -> Path:
    data = pydicom.dcmread(make_dicom(path, COLOUR, "YBR_FULL_422"))
    frames = list(generate_frames(data.PixelData, number_of_frames=N))
    data.PixelData, data.ExtendedOffsetTable, data.ExtendedOffsetTableLengths = encapsulate_extended(frames)
    data["PixelData"].is_undefined_length = True
    data.save_as(path)
    return path


KINDS: dict[str, Callable[[Path], Path]] = {
    "grey": lambda p: make_dicom(p, GREY),
    "RGB": lambda p: make_dicom(p, COLOUR, "RGB"),
    "RGB by planes": lambda p: make_dicom(
        p,
        COLOUR,
        "RGB",
        PlanarConfiguration=1,
        PixelData=np.ascontiguousarray(COLOUR.transpose(0, 3, 1, 2)).tobytes(),
    ),
    "4:2:2": lambda p: make_dicom(
        p, COLOUR, "RGB", PhotometricInterpretation="YBR_FULL_422", PixelData=as_422(COLOUR)
    ),
    "RLE": rle,
    "JPEG": lambda p: jpeg(p, 1, True),
    "JPEG without table": lambda p: jpeg(p, 1, False),
    "JPEG in fragments": lambda p: jpeg(p, 3, True),
    "JPEG in fragments without table": lambda p: jpeg(p, 3, False),
    "JPEG of an extended table": extended,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", [N - 2, N + 3, None])
def test_other_counts_are_refused_or_what_is_there_is_given(
    kind: str, said: int | None, tmp_path: Path
) -> None:
    if kind == "4:2:2" and said is None:
        said = N - 1  # one frame of 4:2:2 in ten times its bytes is taken for RGB
    path = KINDS[kind](tmp_path / "a.dcm")
    whole = sa.read_clip(path)
    assert len(whole) == N
    path = saying(path, said)
    with pytest.raises(OSError, match=f"holds {N} whole frames where its header says {said or 1}"):
        sa.read_clip(path)
    with pytest.warns(UserWarning, match=f"holds {N} whole frames"):
        assert np.array_equal(sa.read_clip(path, miscounted="keep"), whole)
    with pytest.warns(UserWarning, match=f"holds {N} whole frames"):
        assert sum(1 for _ in sa.iter_clip(path, miscounted="keep")) == N


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_cut_file_the_whole_frames_are_given(kind: str, tmp_path: Path) -> None:
    path = KINDS[kind](tmp_path / "a.dcm")
    whole = sa.read_clip(path)
    data = path.read_bytes()
    path.write_bytes(data[: -len(pydicom.dcmread(path).PixelData) // 3])
    with pytest.raises(OSError, match="truncated"):
        sa.read_clip(path)
    with pytest.warns(UserWarning, match="whole frames"):
        some = sa.read_clip(path, miscounted="keep")
    assert N - 3 <= len(some) < N
    assert np.array_equal(some, whole[: len(some)])


def test_a_still_in_fragments_is_one_frame(tmp_path: Path) -> None:
    data = pydicom.dcmread(make_dicom(tmp_path / "a.dcm", COLOUR[:1], "YBR_FULL_422"))
    frames = list(generate_frames(data.PixelData, number_of_frames=1))
    data.PixelData = encapsulate(frames, fragments_per_frame=4, has_bot=False)
    data["PixelData"].is_undefined_length = True
    del data.NumberOfFrames
    data.save_as(tmp_path / "a.dcm")
    assert len(sa.read_clip(tmp_path / "a.dcm")) == 1


def test_an_unknown_way_of_counting_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="miscounted is 'skip'"):
        sa.read_clip(make_dicom(tmp_path / "a.dcm", GREY), miscounted="skip")
