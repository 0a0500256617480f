"""NIfTI masks: bit for bit, read by SimpleITK, on the grid of a NIfTI clip."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from clip_files import make_nifti
from exchange_masks import clip_mask, sectors
from hypothesis import given, settings

from sectoraug.workbench.formats import nifti

nibabel = pytest.importorskip("nibabel")
SECTOR = np.zeros((20, 30), np.uint8)
SECTOR[4:15, 6:28] = 1
NOWHERE = Path("nowhere")


@settings(deadline=None)
@given(sectors)
def test_the_mask_comes_back(sector: np.ndarray) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.nii.gz")
        nifti.write(clip_mask(folder, sector), file)
        assert np.array_equal(nifti.read(file, NOWHERE), sector)


@pytest.mark.parametrize("axes", [3, 4])
def test_simpleitk_reads_the_same(tmp_path: Path, axes: int) -> None:
    itk = pytest.importorskip("SimpleITK")
    nifti.write(clip_mask(tmp_path, SECTOR), tmp_path / "a.nii.gz")
    assert np.array_equal(itk.GetArrayFromImage(itk.ReadImage(str(tmp_path / "a.nii.gz"))), SECTOR)

    clip = make_nifti(tmp_path / "clip.nii", np.zeros((5, 20, 30), np.uint8), axes)
    nifti.write(clip_mask(tmp_path, SECTOR, clip=clip), tmp_path / "b.nii.gz")
    own, mask = itk.ReadImage(str(clip)), itk.ReadImage(str(tmp_path / "b.nii.gz"))
    assert (mask.GetSize(), mask.GetSpacing()) == (own.GetSize(), own.GetSpacing())
    assert mask.GetDirection() == own.GetDirection()
    assert all(np.array_equal(frame, SECTOR) for frame in itk.GetArrayFromImage(mask).reshape(-1, 20, 30))
    assert np.array_equal(nifti.read(tmp_path / "b.nii.gz", clip), SECTOR)


def save(path: Path, pixels: np.ndarray, affine: np.ndarray | None = None) -> Path:
    nibabel.save(nibabel.Nifti1Image(pixels, np.eye(4) if affine is None else affine), path)
    return path


def test_masks_of_other_tools(tmp_path: Path) -> None:
    for dtype in (np.uint8, np.int16, np.float64):
        label = 3 * SECTOR.T.astype(dtype)
        assert np.array_equal(nifti.read(save(tmp_path / "a.nii.gz", label[..., None]), NOWHERE), SECTOR)


def test_bad_masks_are_one_sentence(tmp_path: Path) -> None:
    clip = make_nifti(tmp_path / "clip.nii", np.zeros((5, 20, 30), np.uint8))
    moving = np.stack([SECTOR.T] * 3, -1)
    moving[:, 2, 1] = 1
    colour = np.zeros((30, 20), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for pixels, affine, said in (
        (moving, None, "holds several sectors: 1 of 3 frames differ from the first; expected one sector"),
        (SECTOR.T + SECTOR.T * (np.arange(20) > 9), None, "holds 2 labels beside 0; expected one sector"),
        (np.zeros((30, 20, 3, 4), np.uint8), None, "expected a mask of"),
        (colour, None, "is a colour image; expected a mask"),
        (SECTOR.T, np.diag([2.0, 1, 1, 1]), "has another affine than its clip; expected one grid"),
    ):
        with pytest.raises(ValueError, match=said):
            nifti.read(save(tmp_path / "a.nii.gz", pixels, affine), clip)
    content = save(tmp_path / "a.nii.gz", SECTOR.T).read_bytes()
    for cut in (0, 20, len(content) - 20):
        (tmp_path / "a.nii.gz").write_bytes(content[:cut])
        with pytest.raises(OSError, match="is no readable NIfTI"):
            nifti.read(tmp_path / "a.nii.gz", NOWHERE)
