from __future__ import annotations

import json
import pickle
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import sectoraug as sa


def same(a: sa.BackgroundPool, b: sa.BackgroundPool) -> bool:
    return len(a) == len(b) and all(
        np.array_equal(a[i][0], b[i][0]) and np.array_equal(a[i][1], b[i][1]) for i in range(len(a))
    )


@pytest.mark.parametrize("value", [True, 1, 255])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_backgrounds_are_black_inside_and_kept_outside(
    images: np.ndarray, sectors: np.ndarray, value: int, channels: tuple[int, ...]
) -> None:
    shaped = np.broadcast_to(images.reshape(*images.shape, *[1] * len(channels)), (*images.shape, *channels))
    given = sectors.astype(bool) if value is True else sectors * np.uint8(value)
    pool = sa.BackgroundPool.from_arrays(shaped, given)
    for i in range(len(pool)):
        background, sector = pool[i]
        assert np.array_equal(sector, sectors[i] != 0)
        assert not background[sector].any()
        assert np.array_equal(background[~sector], shaped[i][~sector])
        assert not background.flags.writeable
    assert len(pool) == 12 and pool.size == (40, 48)
    assert (pool.channels or 1) == (channels or (1,))[0]


def test_repr_has_no_pixels(pool: sa.BackgroundPool) -> None:
    assert repr(pool) == "BackgroundPool(n=12, size=(40, 48), channels=None, dtype=uint8)"


def test_draw_is_uniform_and_leaves_out_the_image_itself(pool: sa.BackgroundPool) -> None:
    rng = np.random.default_rng(0)
    counts = np.bincount([pool.draw(rng) for _ in range(12_000)], minlength=12)
    assert counts.min() > 850 and counts.max() < 1150
    counts = np.bincount([pool.draw(rng, exclude=5) for _ in range(11_000)], minlength=12)
    assert counts[5] == 0 and np.delete(counts, 5).min() > 850


def test_draw_repeats_under_one_seed(pool: sa.BackgroundPool) -> None:
    a, b = (np.random.default_rng(3) for _ in range(2))
    assert [pool.draw(a) for _ in range(50)] == [pool.draw(b) for _ in range(50)]


def test_subset_is_a_repeatable_share_without_copies(pool: sa.BackgroundPool) -> None:
    small = pool.subset(0.25, seed=1)
    assert len(small) == 3 and same(small, pool.subset(0.25, seed=1))
    assert any(not same(small, pool.subset(0.25, seed=s)) for s in range(2, 5))
    assert np.shares_memory(small[0][0], pool._backgrounds)
    assert len(pool.subset(0.0, seed=0)) == 1 and len(small.subset(0.34, seed=0)) == 1
    originals = {pool[i][0].tobytes() for i in range(12)}
    assert all(small[i][0].tobytes() in originals for i in range(3))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_save_and_open(tmp_path: Path, images: np.ndarray, sectors: np.ndarray, dtype: type) -> None:
    pool = sa.BackgroundPool.from_arrays(images.astype(dtype), sectors)
    saved = pool.save(tmp_path / "pool", progress=False)
    opened = sa.BackgroundPool.open(tmp_path / "pool")
    assert same(pool, saved) and same(pool, opened)
    assert not opened[0][0].flags.writeable
    opened.verify(progress=False)
    subset = opened.subset(0.5, seed=0).save(tmp_path / "half", progress=False)
    assert same(subset, opened.subset(0.5, seed=0))


def test_saved_files_are_for_their_owner_only(tmp_path: Path, pool: sa.BackgroundPool) -> None:
    pool.save(tmp_path / "pool")
    assert stat.S_IMODE((tmp_path / "pool").stat().st_mode) == 0o700
    for file in (tmp_path / "pool").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    about = json.loads((tmp_path / "pool" / "pool.json").read_text())
    assert set(about) == {"format", "n", "shape", "dtype", "checksums"}
    assert [p.name for p in tmp_path.iterdir()] == ["pool"]


@pytest.mark.parametrize("name", ["backgrounds.bin", "sectors.bin", "checksums.bin"])
@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damage_is_found(tmp_path: Path, pool: sa.BackgroundPool, name: str, damage: str) -> None:
    pool.save(tmp_path / "pool")
    path = tmp_path / "pool" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(content if damage == "flip" else content[:-1])
    with pytest.raises(ValueError, match="damaged"):
        sa.BackgroundPool.open(tmp_path / "pool")


def test_large_pools_are_sampled_at_open_and_read_whole_by_verify(
    tmp_path: Path, pool: sa.BackgroundPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.save(tmp_path / "pool")
    path = tmp_path / "pool" / "backgrounds.bin"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr("sectoraug.pool.background_pool._CHECKED_AT_OPEN", 3 * 40 * 48)
    opened = sa.BackgroundPool.open(tmp_path / "pool")
    with pytest.raises(ValueError, match="donor 11 .*checksum"):
        opened.verify(progress=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 10**18},
        {"n": -1},
        {"n": "12"},
        {"shape": [40]},
        {"shape": 4},
        {"shape": [10**18, 48]},
        {"dtype": "|O"},
        {"dtype": None},
    ],
    ids=str,
)
def test_a_manifest_that_claims_what_is_not_there(
    tmp_path: Path, pool: sa.BackgroundPool, wrong: dict[str, object]
) -> None:
    about = tmp_path / "pool" / "pool.json"
    pool.save(tmp_path / "pool", progress=False)
    about.write_text(json.dumps(json.loads(about.read_text()) | wrong))
    with pytest.raises(ValueError, match="damaged"):
        sa.BackgroundPool.open(tmp_path / "pool")
    about.write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match="damaged"):
        sa.BackgroundPool.open(tmp_path / "pool")


def test_open_names_what_is_wrong(tmp_path: Path, pool: sa.BackgroundPool) -> None:
    with pytest.raises(FileNotFoundError, match=r"holds no pool\.json"):
        sa.BackgroundPool.open(tmp_path)
    folder = pool.save(tmp_path / "pool").folder
    assert folder is not None
    about = json.loads((folder / "pool.json").read_text())
    (folder / "pool.json").write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(ValueError, match="pool format 99"):
        sa.BackgroundPool.open(folder)
    (folder / "pool.json").write_text("{")
    with pytest.raises(ValueError, match="damaged"):
        sa.BackgroundPool.open(folder)
    with pytest.raises(FileExistsError, match="expected a new folder"):
        pool.save(folder)


def test_pickles_of_an_opened_pool_carry_no_pixels(tmp_path: Path, pool: sa.BackgroundPool) -> None:
    opened = pool.save(tmp_path / "pool")
    half = opened.subset(0.5, seed=0)
    for original in (opened, half):
        carried = pickle.dumps(original)
        assert len(carried) < 1000
        code = "import pickle, sys; print(len(pickle.load(sys.stdin.buffer)))"
        elsewhere = subprocess.run([sys.executable, "-c", code], input=carried, capture_output=True)
        assert int(elsewhere.stdout) == len(original), elsewhere.stderr
        assert same(pickle.loads(carried), original)
    assert same(pickle.loads(pickle.dumps(pool)), pool)


# -- from files -----------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, images: np.ndarray, sectors: np.ndarray) -> tuple[list[Path], list[Path]]:
    paths: tuple[list[Path], list[Path]] = ([], [])
    for i in range(6):
        for kind, pixels in enumerate((images[i], sectors[i] * 255)):
            path = tmp_path / f"{'is'[kind]}{i}.png"
            assert cv2.imwrite(str(path), pixels)
            paths[kind].append(path)
    return paths


def test_from_files_equals_from_arrays(files, images, sectors, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    expected = sa.BackgroundPool.from_arrays(images[:6], sectors[:6])
    assert same(sa.BackgroundPool.from_files(*files, size=(40, 48)), expected)
    on_disk = sa.BackgroundPool.from_files(*files, size=(40, 48), folder=tmp_path / "pool")
    assert same(on_disk, expected) and on_disk.folder == tmp_path / "pool"


def test_npy_and_colour_files(tmp_path: Path, images: np.ndarray, sectors: np.ndarray) -> None:
    colour = np.stack([images[0], images[1], images[2]], 2)
    cv2.imwrite(str(tmp_path / "image.png"), colour[:, :, ::-1])
    np.save(tmp_path / "image.npy", colour)
    np.save(tmp_path / "sector.npy", sectors[0].astype(bool).view(np.uint8))
    pool = sa.BackgroundPool.from_files(
        [tmp_path / "image.png", tmp_path / "image.npy"],
        [tmp_path / "sector.npy"] * 2,
        size=(40, 48),
    )
    assert pool.channels == 3 and np.array_equal(pool[0][0], pool[1][0])
    assert np.array_equal(pool[0][0][0, 0], colour[0, 0])


@pytest.mark.parametrize("resize", ["stretch", "pad"])
@pytest.mark.parametrize("size", [(20, 24), (61, 30), (80, 96)])
def test_resizing_shows_nothing_of_the_donor_sector(files, images, sectors, resize, size) -> None:  # type: ignore[no-untyped-def]
    pool = sa.BackgroundPool.from_files(*files, size=size, resize=resize)
    bright = [np.where(s != 0, 255, i).astype(np.uint8) for i, s in zip(images, sectors, strict=True)]
    other = sa.BackgroundPool.from_arrays(bright[:6], sectors[:6])
    for i in range(6):
        background, sector = pool[i]
        assert background.shape == size and not background[sector].any()
        from sectoraug.pool.fitting import fit

        assert np.array_equal(background, fit(bright[i], sectors[i], size, resize)[0])
    assert len(other) == 6


def test_pad_keeps_the_aspect_ratio(tmp_path: Path) -> None:
    from sectoraug.pool.fitting import fit

    background = np.full((10, 20), 9, np.uint8)
    sector = np.zeros((10, 20), np.uint8)
    sector[4:6, 8:12] = 1
    fitted, inside = fit(background, sector, (40, 40), "pad")
    assert not fitted[:10].any() and not fitted[30:].any() and fitted[10, 0] == 9
    assert inside[10:30].any() and not inside[:10].any()


def test_a_corrupt_file_is_named_or_skipped_and_counted(files, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    images, sectors = files
    images[1].write_bytes(b"no image")
    cv2.imwrite(str(sectors[3]), np.zeros((40, 48), np.uint8))
    cv2.imwrite(str(sectors[4]), np.full((40, 48), 255, np.uint8))
    for folder in (None, tmp_path / "pool"):
        with pytest.raises(OSError, match=r"i1\.png could not be decoded"):
            sa.BackgroundPool.from_files(images, sectors, size=(40, 48), folder=folder)
        assert not list(tmp_path.glob("pool*")), "nothing half written"
    pool = sa.BackgroundPool.from_files(
        images, sectors, size=(40, 48), skip_invalid=True, folder=tmp_path / "pool"
    )
    assert len(pool) == 3 and len(pool.skipped) == 3
    assert "i1.png" in pool.skipped[0] and "s3.png is missing" in pool.skipped[1]
    assert "whole frame" in pool.skipped[2]


def test_a_full_disk_is_no_invalid_donor(files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    from sectoraug.pool.folder import FolderWriter

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FolderWriter, "write", full)
    with pytest.raises(OSError, match="No space left"):
        sa.BackgroundPool.from_files(*files, size=(40, 48), skip_invalid=True, folder=tmp_path / "pool")
    assert not list(tmp_path.glob("pool*")), "nothing half written"


@pytest.mark.parametrize("size", [112, (112,), (0, 5), (1.5, 2), "ab"])
def test_sizes_are_two_whole_numbers(files, size: object) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"expected \(height, width\)"):
        sa.BackgroundPool.from_files(*files, size=size)


def test_a_pickled_array_is_refused_without_advice_to_unpickle(files, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    images, _ = files
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    (tmp_path / "bare.npy").write_bytes(pickle.dumps([1]))
    for name in ("objects.npy", "bare.npy"):
        with pytest.raises(OSError, match=r"no readable NPY file .*np\.save\.$") as error:
            sa.BackgroundPool.from_files(images[:1], [tmp_path / name], size=(8, 8))
        assert "allow_pickle" not in str(error.value)


def test_missing_file_keeps_its_name(files) -> None:  # type: ignore[no-untyped-def]
    images, sectors = files
    with pytest.raises(FileNotFoundError, match="nowhere"):
        sa.BackgroundPool.from_files([*images[:5], "nowhere.png"], sectors, size=(40, 48))


def test_mixed_kinds_are_refused_by_name(files, images, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    paths, sectors = files
    cv2.imwrite(str(paths[2]), np.repeat(images[0][:, :, None], 3, 2))
    with pytest.raises(ValueError, match=r"i2\.png is a uint8 array of shape \(40, 48, 3\)"):
        sa.BackgroundPool.from_files(paths, sectors, size=(40, 48))


def test_only_fitting_sizes_with_resize_raise(files) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r'i0\.png.*40 x 48.*expected 20 x 20.*resize="stretch"'):
        sa.BackgroundPool.from_files(*files, size=(20, 20), resize="raise")


def test_a_pool_from_streams_keeps_what_came_before_an_error(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(1, 256, (3, 8, 8), dtype=np.uint8)
    inside = np.zeros((8, 8), bool)
    inside[2:5] = True

    def breaks() -> Any:
        yield images[0], inside
        raise OSError("clip 1 is truncated.")

    streams = [("clip 1", breaks), ("clip 2", lambda: [(images[1], inside), (images[2], inside)])]
    pool = sa.BackgroundPool.from_streams(streams, 2, (8, 8), tmp_path / "p", skip_invalid=True)
    assert pool.skipped == ("clip 1 is truncated.",)
    assert np.array_equal([pool.background(i) for i in range(3)], np.where(inside, 0, images))
    with pytest.raises(OSError, match="truncated"):
        sa.BackgroundPool.from_streams(streams, 2, (8, 8), tmp_path / "q")
    assert not (tmp_path / "q").exists()
