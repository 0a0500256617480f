"""Masked copies: nothing outside the sector in any kind of file, nothing lost inside, nothing on failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sectoraug as sa

pydicom = pytest.importorskip("pydicom")
av = pytest.importorskip("av")
nibabel = pytest.importorskip("nibabel")
pytest.importorskip("filelock")
from copied_clips import KINDS, SECTOR, WHITE, fails, keep_mask, left_in, mask_clip, saved  # noqa: E402
from dicom_clips import NAME, make_dicom  # noqa: E402
from video_clips import make_video  # noqa: E402

from sectoraug.workbench import kept_masks  # noqa: E402
from sectoraug.workbench.jobs import masked_copies  # noqa: E402
from sectoraug.workbench.jobs.masked_copies import MaskClip  # noqa: E402
from sectoraug.workbench.review.journal import Change, Journal, mask_digest  # noqa: E402
from sectoraug.workbench.run.archive import Outcome, run  # noqa: E402
from sectoraug.workbench.run.engines import attempt  # noqa: E402
from sectoraug.workbench.run.manifest import latest_by_clip, read_entries  # noqa: E402
from sectoraug.workbench.run.sources import find_sources, sha256_of  # noqa: E402


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


def test_no_good_sector_no_copy(tmp_path: Path) -> None:
    clip, m, o = KINDS["NPZ"](tmp_path), tmp_path / "m", tmp_path / "o"
    fails(clip, keep_mask(m, clip, SECTOR), o, "quality 0.80; expected at least 0.9", quality_at_least=0.9)
    fails(clip, keep_mask(m, clip, SECTOR, quality=float("nan")), o, "quality")
    fails(clip, keep_mask(m, clip, SECTOR, overlay_inside_percent=2.5), o, "text or marks on 2.5% of it")
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
    fails(clip, masks, o, "ends within a chunk")


def test_kept_masks_are_those_that_give_copies(tmp_path: Path) -> None:
    clip, m = KINDS["NPZ"](tmp_path), tmp_path / "m"
    masks = keep_mask(m, clip, SECTOR)
    assert kept_masks(masks) == {sha256_of(clip): masks / f"{sha256_of(clip)}.png"}
    assert kept_masks(str(masks), quality_at_least=0.9) == {} == kept_masks(masks, reviewed_only=True)
    assert kept_masks(keep_mask(m, clip, SECTOR, overlay_inside_percent=2.5)) == {}
    assert kept_masks(keep_mask(m, clip, SECTOR, error="Static.", file=None)) == {}
    entry = latest_by_clip(keep_mask(m, clip, SECTOR, overlay_inside_percent=2.5))[sha256_of(clip)][0]
    sorted_in = Change(entry.key, mask_digest(m / str(entry.file)), "in")
    Journal(m).append([sorted_in], "hand", "test")
    assert set(kept_masks(m, reviewed_only=True)) == {sha256_of(clip)}
    with pytest.raises(FileNotFoundError, match="holds no manifest.jsonl"):
        kept_masks(tmp_path / "nowhere")


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


def _here(job: Any, sources: Any) -> Any:
    return ((source, attempt(job, source)) for source in sources)


def test_finished_and_failed_copies_are_skipped_and_refused_ones_tried_again(tmp_path: Path) -> None:
    clip, m, o = KINDS["NPZ"](tmp_path), tmp_path / "m", tmp_path / "o"
    without_mask = saved(tmp_path / "b.npz", np.savez, WHITE[:2])
    other_size = saved(tmp_path / "c.npz", np.savez, WHITE[:, 1:])
    keep_mask(m, clip, SECTOR)
    keep_mask(m, other_size, SECTOR)
    sources, _ = find_sources([clip, without_mask, other_size])
    job = MaskClip(str(m), str(o), 0.5)

    def ends(outcome: Outcome) -> tuple[int, int, int, int]:
        return outcome.done, outcome.failed, outcome.refused, outcome.skipped

    assert ends(run(job, sources, o, _here, progress=False)) == (1, 1, 1, 0)
    assert ends(run(job, sources, o, _here, progress=False)) == (0, 1, 1, 2)
    assert [(entry.error is None, entry.refused) for entry in read_entries(o)] == [
        (True, False),
        (False, True),
        (False, False),
        (False, True),
    ]
    keep_mask(m, without_mask, SECTOR)
    assert ends(run(job, sources, o, _here, progress=False)) == (1, 1, 0, 2)
    copies = sorted(path.name for path in (o / "clips").rglob("*") if path.is_file())
    assert len(copies) == 2 and all(name.endswith(".npz") for name in copies)


def test_a_copy_follows_its_mask(tmp_path: Path) -> None:
    clip, m, o = KINDS["folder of stills"](tmp_path), tmp_path / "m", tmp_path / "o"
    sources, _ = find_sources([clip], folders_are_clips=True)

    def ends(quality_at_least: float = 0.5) -> tuple[int, bool]:
        job = MaskClip(str(m), str(o), quality_at_least)
        done = run(job, sources, o, _here, retry_failed=True, progress=False).done
        return done, any((o / "clips").glob("*/*"))

    keep_mask(m, clip, SECTOR)
    assert [ends(), ends()] == [(1, True), (0, True)]
    narrower = SECTOR & (np.arange(SECTOR.shape[1]) < 30)
    keep_mask(m, clip, narrower)
    assert [ends(), ends()] == [(1, True), (0, True)]
    copy = o / str(read_entries(o)[-1].file)
    assert not sa.read_clip(copy)[:, ~narrower].any()

    manifest = o / "manifest.jsonl"  # as earlier versions wrote it
    manifest.write_text(manifest.read_text().replace('"blackened_by"', '"note"'))
    assert [ends(), ends()] == [(1, True), (0, True)]
    copy.rename(tmp_path / "moved")
    assert [ends(), ends()] == [(1, True), (0, True)]

    assert ends(quality_at_least=0.9) == (0, False)
    assert read_entries(o)[-1].refused
    assert ends() == (1, True)
    (picture,) = [path for path in m.glob("*.png") if path.stem == sha256_of(clip)]
    whole = picture.read_bytes()
    picture.write_bytes(whole[:30])
    assert ends() == (0, False)
    picture.write_bytes(whole)
    assert ends() == (1, True)

    entry = latest_by_clip(m)[sha256_of(clip)][0]
    Journal(m).append([Change(entry.key, mask_digest(m / str(entry.file)), "out")], "hand", "test")
    assert ends() == (0, False)
    assert "sorted out" in str(read_entries(o)[-1].error)
