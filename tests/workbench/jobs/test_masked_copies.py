"""Masked copies: nothing outside the sector in any kind of file, nothing lost inside, nothing on failure."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sectoraug as sa

pydicom = pytest.importorskip("pydicom")
av = pytest.importorskip("av")
nibabel = pytest.importorskip("nibabel")
pytest.importorskip("filelock")

from dicom_clips import NAME, make_dicom, palette_table  # noqa: E402
from video_clips import make_video  # noqa: E402

from sectoraug.workbench.jobs import masked_copies  # noqa: E402
from sectoraug.workbench.jobs.masked_copies import MaskClip  # noqa: E402
from sectoraug.workbench.run.archive import Outcome, run  # noqa: E402
from sectoraug.workbench.run.engines import attempt  # noqa: E402
from sectoraug.workbench.run.manifest import Entry, read_entries  # noqa: E402
from sectoraug.workbench.run.out_folder import only_writer  # noqa: E402
from sectoraug.workbench.run.sources import find_sources, sha256_of  # noqa: E402

CLIP = sa.phantom.make_clip(frames=3, size=(40, 52), seed=3)
SECTOR = CLIP.sector
WHITE = np.where(SECTOR, CLIP.frames, 255).astype(np.uint8)  # the worst background
COLOUR = np.stack([WHITE, WHITE // 2 + 100, 255 - WHITE // 3], -1)


def make_nifti(path: Path) -> Path:
    image = nibabel.Nifti1Image(WHITE.transpose(2, 1, 0)[:, :, None], np.diag([0.3, 0.4, 1, 1]))
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    nibabel.save(image, path)
    return path


def make_colour_nifti(path: Path) -> Path:
    clip = np.ascontiguousarray(COLOUR).view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nibabel.save(nibabel.Nifti1Image(clip.transpose(2, 1, 0), np.eye(4)), path)
    return path


def make_stills(folder: Path) -> Path:
    folder.mkdir()
    for t, frame in enumerate(COLOUR):
        cv2.imwrite(str(folder / f"{t}.png"), frame[:, :, ::-1])
    return folder


def saved(path: Path, save: Any, *arrays: Any) -> Path:
    save(path, *arrays)
    return path


KINDS: dict[str, Any] = {
    "grey DICOM": lambda f, **k: make_dicom(f / "a.dcm", WHITE, **k),
    "RGB DICOM": lambda f, **k: make_dicom(f / "a.dcm", COLOUR, "RGB", **k),
    "JPEG DICOM": lambda f, **k: make_dicom(f / "a.dcm", COLOUR, "YBR_FULL_422", **k),
    "palette DICOM": lambda f, **k: make_dicom(f / "a.dcm", 255 - WHITE, "PALETTE COLOR", **k),
    "DICOM still of odd size": lambda f: make_dicom(
        f / "a.dcm", WHITE[:1, :39, :51], SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1", NumberOfFrames=None
    ),
    "mp4": lambda f: make_video(f / "a.mp4", COLOUR, "mpeg4", "yuv420p", title=NAME),
    "grey avi": lambda f: make_video(f / "a.avi", WHITE, "ffv1", "gray", title=NAME),
    "NIfTI": lambda f: make_nifti(f / "a.nii.gz"),
    "colour NIfTI": lambda f: make_colour_nifti(f / "a.nii"),
    "NPY": lambda f: saved(f / "a.npy", np.save, COLOUR),
    "NPZ": lambda f: saved(f / "a.npz", np.savez, WHITE),
    "JPEG still": lambda f: saved(f / "a.jpg", lambda p, x: cv2.imwrite(str(p), x), COLOUR[0]),
    "folder of stills": lambda f: make_stills(f / "a"),
}


def keep_mask(masks: Path, clip: Path, sector: np.ndarray, **other: Any) -> Path:
    """What a `masks` run would have written for one clip."""
    digest = sha256_of(clip)
    masks.mkdir(exist_ok=True)
    cv2.imwrite(str(masks / f"{digest}.png"), sector * np.uint8(255))
    frames = sum(1 for _ in sa.iter_clip(clip))
    size = (int(sector.shape[0]), int(sector.shape[1]))
    entry = Entry("a", "visit", digest, size, frames, f"{digest}.png", None, 0.8)
    with open(masks / "manifest.jsonl", "a") as lines:
        lines.write(json.dumps(asdict(replace(entry, **other))) + "\n")
    return masks


def mask_clip(clip: Path, masks: Path, out: Path, quality_at_least: float = 0.5) -> Entry:
    """What a worker of `apply` does with one clip."""
    (source,), _ = find_sources([clip], folders_are_clips=clip.is_dir())
    with only_writer(out):
        return attempt(MaskClip(str(masks), str(out), quality_at_least), source)


def left_in(out: Path) -> list[Path]:
    return [path for path in out.rglob("*") if path.name != ".lock"]


@pytest.mark.parametrize("kind", KINDS)
def test_outside_is_black_and_inside_as_decoded(kind: str, tmp_path: Path) -> None:
    clip = KINDS[kind](tmp_path)
    before = sha256_of(clip)
    decoded = sa.read_clip(clip)
    sector = SECTOR[: decoded.shape[1], : decoded.shape[2]]
    assert decoded[:, ~sector].max() > 200
    entry = mask_clip(clip, keep_mask(tmp_path / "m", clip, sector), tmp_path / "o")
    assert entry.error is None
    assert entry.file is not None
    copy = sa.read_clip(tmp_path / "o" / entry.file)
    assert copy.shape == decoded.shape
    assert not copy[:, ~sector].any()
    assert np.array_equal(copy[:, sector], decoded[:, sector])
    assert sha256_of(clip) == before
    written = left_in(tmp_path / "o")
    assert all(not path.stat().st_mode & 0o077 for path in written)
    assert not [path for path in written if path.name == ".part"]
    if clip.suffix == ".gz":
        source, image = nibabel.load(clip), nibabel.load(tmp_path / "o" / entry.file)
        assert np.array_equal(image.affine, source.affine)
        assert image.shape == source.shape
        assert len(source.header.extensions) == 1
        assert len(image.header.extensions) == 0
    if clip.suffix == ".mp4":
        with av.open(str(tmp_path / "o" / entry.file)) as container:
            assert container.streams.video[0].average_rate == 25
        assert NAME.encode() in clip.read_bytes()
        assert NAME.encode() not in (tmp_path / "o" / entry.file).read_bytes()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(["grey DICOM", "RGB DICOM", "JPEG DICOM", "palette DICOM", "mp4", "NPZ"]),
    height=st.integers(2, 33),
    width=st.integers(2, 33),
    frames=st.integers(1, 3),
    seed=st.integers(0, 1 << 30),
)
def test_any_clip_any_sector(
    kind: str, height: int, width: int, frames: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if kind == "mp4":
        height, width = 2 * height, 2 * width
    tmp_path = tmp_path_factory.mktemp("any")
    rng = np.random.default_rng(seed)
    grey = rng.integers(0, 256, (frames, height, width), dtype=np.uint8)
    colour = rng.integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    sector = rng.random((height, width)) < rng.uniform(0.05, 0.95)
    sector[0, 0], sector[-1, -1] = True, False
    clip = {
        "grey DICOM": lambda: make_dicom(tmp_path / "a.dcm", grey),
        "RGB DICOM": lambda: make_dicom(tmp_path / "a.dcm", colour, "RGB"),
        "JPEG DICOM": lambda: make_dicom(tmp_path / "a.dcm", colour, "YBR_FULL_422"),
        "palette DICOM": lambda: make_dicom(tmp_path / "a.dcm", grey, "PALETTE COLOR"),
        "mp4": lambda: make_video(tmp_path / "a.mp4", colour, "mpeg4", "yuv420p", title=NAME),
        "NPZ": lambda: saved(tmp_path / "a.npz", np.savez, colour),
    }[kind]()
    entry = mask_clip(clip, keep_mask(tmp_path / "m", clip, sector), tmp_path / "o")
    assert entry.error is None, entry.error
    copy, decoded = sa.read_clip(tmp_path / "o" / str(entry.file)), sa.read_clip(clip)
    assert not copy[:, ~sector].any()
    assert np.array_equal(copy[:, sector], decoded[:, sector])


# -- failing closed -------------------------------------------------------------------------------


def fails(clip: Path, masks: Path, out: Path, said: str, **options: Any) -> None:
    entry = mask_clip(clip, masks, out, **options)
    assert entry.error is not None
    assert said in entry.error
    assert entry.file is None
    assert left_in(out) == []


def test_no_good_sector_no_copy(tmp_path: Path) -> None:
    clip, m, o = KINDS["NPZ"](tmp_path), tmp_path / "m", tmp_path / "o"
    fails(clip, keep_mask(m, clip, SECTOR), o, "quality 0.80; expected at least 0.9", quality_at_least=0.9)
    fails(clip, keep_mask(m, clip, SECTOR, quality=float("nan")), o, "quality")
    fails(clip, keep_mask(m, clip, SECTOR, quality=None), o, "without a sector")
    fails(clip, keep_mask(m, clip, SECTOR, error="Static.", file=None), o, "without a sector")
    fails(clip, keep_mask(tmp_path / "other", clip, SECTOR, sha256="0" * 64), o, "has no entry")
    fails(clip, keep_mask(m, clip, np.zeros_like(SECTOR)), o, "missing")
    fails(clip, keep_mask(m, clip, np.ones_like(SECTOR)), o, "fills the whole frame")
    fails(clip, keep_mask(m, clip, SECTOR, file="nowhere.png"), o, "nowhere.png")
    fails(clip, keep_mask(m, clip, SECTOR, size=(9, 9)), o, "made for 9 x 9")
    fails(clip, keep_mask(m, clip, SECTOR[:30]), o, "frame is 40 x 52 pixels but the mask 30 x 52")
    masks = keep_mask(m, clip, SECTOR)
    (picture,) = [path for path in m.glob("*.png") if path.stem == sha256_of(clip)]
    picture.write_bytes(picture.read_bytes()[:30])
    fails(clip, masks, o, "could not be decoded")


def test_a_changed_or_damaged_clip_gives_no_copy(tmp_path: Path) -> None:
    clip, m, o = KINDS["JPEG DICOM"](tmp_path), tmp_path / "m", tmp_path / "o"
    masks = keep_mask(m, clip, SECTOR)
    data = clip.read_bytes()
    clip.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    fails(clip, masks, o, "has no entry")
    clip.write_bytes(data[: len(data) * 2 // 3])
    entry = json.loads((masks / "manifest.jsonl").read_text())
    entry["sha256"] = sha256_of(clip)
    (masks / "manifest.jsonl").write_text(json.dumps(entry) + "\n")
    fails(clip, masks, o, "truncated")


@pytest.mark.parametrize("kind", ["grey DICOM", "mp4", "NPZ", "JPEG still", "NIfTI", "folder of stills"])
def test_a_copy_that_reads_back_otherwise_is_not_kept(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = KINDS[kind](tmp_path)
    masks = keep_mask(tmp_path / "m", clip, SECTOR)
    real = masked_copies._writer_for

    def leaks(path: Path, n: int) -> Any:
        suffix, write = real(path, n)

        def write_one_pixel_more(part: Path, frames: Any, *rest: Any) -> None:
            def changed() -> Any:
                for frame in frames:
                    frame[-1, -1] = 1
                    yield frame

            write(part, changed(), *rest)

        return suffix, write_one_pixel_more

    monkeypatch.setattr(masked_copies, "_writer_for", leaks)
    assert not SECTOR[-1, -1]
    fails(clip, masks, tmp_path / "o", "not black outside")


def test_a_copy_that_lost_something_inside_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = KINDS["NPZ"](tmp_path)

    def writes_less(part: Path, frames: Any, *rest: Any) -> None:
        kept = [frame // 2 for frame in frames]
        with open(part, "wb") as file:
            np.savez(file, np.stack(kept))

    monkeypatch.setattr(masked_copies, "_writer_for", lambda path, n: (".npz", writes_less))
    fails(
        clip,
        keep_mask(tmp_path / "m", clip, SECTOR),
        tmp_path / "o",
        "differs from what was written when read back",
    )


def test_finished_and_failed_copies_are_skipped_and_refused_ones_tried_again(tmp_path: Path) -> None:
    clip, m, o = KINDS["NPZ"](tmp_path), tmp_path / "m", tmp_path / "o"
    without_mask = saved(tmp_path / "b.npz", np.savez, WHITE[:2])
    other_size = saved(tmp_path / "c.npz", np.savez, WHITE[:, 1:])
    keep_mask(m, clip, SECTOR)
    keep_mask(m, other_size, SECTOR)
    sources, _ = find_sources([clip, without_mask, other_size])
    job = MaskClip(str(m), str(o), 0.5)

    def here(job: Any, sources: Any) -> Any:
        return ((source, attempt(job, source)) for source in sources)

    def ends(outcome: Outcome) -> tuple[int, int, int, int]:
        return outcome.done, outcome.failed, outcome.refused, outcome.skipped

    assert ends(run(job, sources, o, here, progress=False)) == (1, 1, 1, 0)
    assert ends(run(job, sources, o, here, progress=False)) == (0, 1, 1, 2)
    assert [(entry.error is None, entry.refused) for entry in read_entries(o)] == [
        (True, False),
        (False, True),
        (False, False),
        (False, True),
    ]
    keep_mask(m, without_mask, SECTOR)
    assert ends(run(job, sources, o, here, progress=False)) == (1, 1, 0, 2)
    copies = sorted(path.name for path in (o / "clips").rglob("*") if path.is_file())
    assert len(copies) == 2 and all(name.endswith(".npz") for name in copies)


# -- DICOM ----------------------------------------------------------------------------------------


def written(clip: Path, tmp_path: Path) -> Any:
    entry = mask_clip(clip, keep_mask(tmp_path / "m", clip, SECTOR), tmp_path / "o")
    assert entry.error is None, entry.error
    return pydicom.dcmread(tmp_path / "o" / str(entry.file))


def other_pixels(data: Any) -> None:
    """Put copies of pixels everywhere that DICOM has a place for them."""
    leak = b"LEAK" * 64
    data.add_new(0x60000010, "US", 40)
    data.add_new(0x60003000, "OW", leak)
    data.add_new(0x60020022, "LO", "second overlay")
    icon = pydicom.Dataset()
    icon.Rows = icon.Columns = 16
    icon.PixelData = leak
    icon["PixelData"].VR = "OB"
    data.IconImageSequence = [icon]
    item = pydicom.Dataset()
    item.ReferencedSOPInstanceUID = "1.2.3"
    item.IconImageSequence = [icon]
    item.private_block(0x2001, "VENDOR", create=True).add_new(0x01, "OB", leak)
    data.ReferencedImageSequence = [item]
    data.EncapsulatedDocument = leak
    hidden = pydicom.Dataset()
    hidden.ReferencedSOPInstanceUID = "1.2.4"
    hidden.IconImageSequence = [icon]
    data.SourceImageSequence = [hidden]
    data.private_block(0x2001, "VENDOR", create=True).add_new(0x02, "UN", leak)
    data.private_block(0x2001, "VENDOR").add_new(0x03, "LO", "a private word")
    data.private_block(0x7FE1, "VENDOR", create=True).add_new(0x01, "OB", leak)
    data.DataSetTrailingPadding = leak


@pytest.mark.parametrize("syntax", ["ExplicitVRLittleEndian", "ImplicitVRLittleEndian", "RLELossless"])
def test_no_pixels_hide_elsewhere_in_a_dicom_copy(syntax: str, tmp_path: Path) -> None:
    clip = make_dicom(tmp_path / "a.dcm", WHITE)
    data = pydicom.dcmread(clip)
    other_pixels(data)
    data.preamble = b"II*\0" + b"LEAK" * 31
    if syntax == "RLELossless":
        data.compress(getattr(pydicom.uid, syntax))
        data.save_as(clip)
    else:
        data.file_meta.TransferSyntaxUID = getattr(pydicom.uid, syntax)
        data.save_as(
            clip, implicit_vr=syntax.startswith("Implicit"), little_endian=True, enforce_file_format=True
        )
    assert b"LEAKLEAK" in clip.read_bytes()
    if syntax == "ExplicitVRLittleEndian":  # a sequence whose writer did not know that it is one
        known = b"\x08\x00\x12\x21SQ"
        assert known in clip.read_bytes()
        clip.write_bytes(clip.read_bytes().replace(known, known[:4] + b"UN"))
    copy = written(clip, tmp_path)
    assert b"LEAK" not in Path(copy.filename).read_bytes()
    assert not [element.tag for element in copy if 0x6000 <= element.tag.group <= 0x60FF]
    assert copy.ReferencedImageSequence[0].ReferencedSOPInstanceUID == "1.2.3"
    assert copy.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.4"
    if syntax != "ImplicitVRLittleEndian":  # where nothing tells what a private element is
        assert copy[0x2001, 0x1003].value == "a private word"


def test_a_dicom_copy_says_what_it_is(tmp_path: Path) -> None:
    clip = KINDS["JPEG DICOM"](
        tmp_path, BurnedInAnnotation="NO", LossyImageCompression=None, FrameTime="33.3"
    )
    source = pydicom.dcmread(clip)
    copy = written(clip, tmp_path)
    assert copy.file_meta.TransferSyntaxUID == pydicom.uid.ExplicitVRLittleEndian
    assert copy.file_meta.MediaStorageSOPInstanceUID == copy.SOPInstanceUID != source.SOPInstanceUID
    assert copy.ImageType == ["DERIVED", "PRIMARY"]
    assert copy.DerivationDescription.startswith("Pixels outside the ultrasound sector set to 0 by sectoraug")
    assert "not de-identified" in copy.DerivationDescription
    assert "BurnedInAnnotation" not in copy
    assert (copy.LossyImageCompression, copy.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert (copy.PhotometricInterpretation, copy.SamplesPerPixel, copy.PlanarConfiguration) == ("RGB", 3, 0)
    assert (copy.NumberOfFrames, copy.FrameTime, str(copy.PatientName)) == (3, 33.3, NAME)
    assert "PatientIdentityRemoved" not in copy


def test_burned_in_annotation_is_never_denied(tmp_path: Path) -> None:
    assert (
        written(KINDS["grey DICOM"](tmp_path, BurnedInAnnotation="YES"), tmp_path).BurnedInAnnotation == "YES"
    )
    grey = written(KINDS["grey DICOM"](tmp_path), tmp_path)
    assert "BurnedInAnnotation" not in grey
    assert "LossyImageCompression" not in grey


def test_a_palette_becomes_rgb(tmp_path: Path) -> None:
    copy = written(KINDS["palette DICOM"](tmp_path, PixelPaddingValue=7), tmp_path)
    assert not [element for element in copy if "Palette" in element.name]
    assert "PixelPaddingValue" not in copy
    assert np.array_equal(copy.pixel_array[:, SECTOR], palette_table()[255 - WHITE][:, SECTOR])


def test_zero_that_is_white_is_refused(tmp_path: Path) -> None:
    clip = make_dicom(tmp_path / "a.dcm", WHITE, "MONOCHROME1")
    fails(clip, keep_mask(tmp_path / "m", clip, SECTOR), tmp_path / "o", "MONOCHROME1")


def test_the_length_of_the_pixels_is_even(tmp_path: Path) -> None:
    clip = KINDS["DICOM still of odd size"](tmp_path)
    entry = mask_clip(clip, keep_mask(tmp_path / "m", clip, SECTOR[:39, :51]), tmp_path / "o")
    data = (tmp_path / "o" / str(entry.file)).read_bytes()
    at = data.index(b"\xe0\x7f\x10\x00OB")
    assert struct.unpack("<I", data[at + 8 : at + 12])[0] == 39 * 51 + 1 == len(data) - at - 12


def test_the_real_examples(tmp_path: Path) -> None:
    for name in ("ybr_color", "palette_color", "rgb_color", "jpeg2k"):
        clip = Path(pydicom.examples.get_path(name))
        decoded = sa.read_clip(clip)
        sector = np.zeros(decoded.shape[1:3], bool)
        sector[20:-20, 30:-30] = True
        entry = mask_clip(clip, keep_mask(tmp_path / "m", clip, sector), tmp_path / "o")
        assert entry.error is None, entry.error
        copy = sa.read_clip(tmp_path / "o" / str(entry.file))
        assert not copy[:, ~sector].any()
        assert np.array_equal(copy[:, sector], decoded[:, sector])
    assert os.listdir(tmp_path / "o" / "clips")
