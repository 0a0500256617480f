"""The pictures that the review shows."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("starlette")
pytest.importorskip("uvicorn")
from sectoraug.workbench.review.ahead import Sprites
from sectoraug.workbench.review.tiles import masks_in, tile_of


def test_tiles_show_the_clip_or_say_why_not(masks: Path, tmp_path: Path) -> None:
    found, _ = masks_in(masks)
    assert [mask.entry.quality for mask in found] == sorted(m.entry.quality or 0 for m in found)
    tile = tile_of(found[0])
    assert tile.frame is not None
    assert (tile.trouble, tile.frame.shape) == ("", (60, 80))
    drawn = cv2.fillPoly(np.zeros((60, 80), np.uint8), [np.array(line) for line in tile.contours], 1)
    true = cv2.imread(str(found[0].file), cv2.IMREAD_GRAYSCALE) > 0
    assert (drawn.astype(bool) == true).mean() > 0.995

    clips = [mask.sources[0] for mask in found]
    clips[1].unlink()
    shutil.copy(clips[2], clips[3])
    clips[4].write_bytes(b"no clip")
    found[5].file.unlink()
    said = [tile_of(mask).trouble for mask in found[:6]]
    assert said[:4] == ["", "The clip is gone.", "", "The clip has changed since."]
    assert said[4:] == ["The clip has changed since.", "The mask is gone or damaged."]

    (masks / "clips").rename(tmp_path / "elsewhere")
    assert tile_of(masks_in(masks)[0][0]).trouble == "The clip is gone."
    assert tile_of(masks_in(masks, [tmp_path / "elsewhere"])[0][0]).trouble == ""


def test_sprites_answer_many_at_once(masks: Path) -> None:
    with Sprites(masks_in(masks)[0]) as sprites, ThreadPoolExecutor(12) as threads:
        assert len(set(threads.map(lambda k: sprites.get(k % 3).jpeg, range(12)))) == 3
        picture = cv2.imdecode(np.frombuffer(sprites.get(2).jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture.shape == (6 * 168, 8 * 224)
        assert picture[:168, :224].mean() > 10  # mask 96
        assert picture[-168:].max() == 0  # masks 110 and on
        with pytest.raises(IndexError):
            sprites.get(3)
