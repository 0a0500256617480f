"""Made-up screens without their sector: panels, text, rulers, bars, curves, logos, thumbnails."""

from __future__ import annotations

import string
from collections.abc import Callable

import cv2
import numpy as np
from outlines import Rng, Size
from textures import Plane, smooth

_CHARACTERS = list(string.ascii_letters + string.digits + " .:-/%")


def background(rng: Rng, size: Size) -> tuple[Plane, Plane]:
    """(H, W) uint8, and where something is written or drawn on it: (H, W) bool."""
    screen = np.zeros(size, np.uint8)
    if rng.random() < 0.2:
        screen[:] = rng.choice(
            [rng.integers(1, 12), rng.integers(12, 80), rng.integers(180, 256)], p=[0.6, 0.3, 0.1]
        )
    if rng.random() < 0.12:
        return screen, np.zeros(size, bool)
    plain = screen.copy()
    for _ in range(rng.poisson(0.6)):
        panel(rng, screen, plain)
    for _ in range(rng.poisson(4)):
        DRAWERS[rng.choice(len(DRAWERS), p=_HOW_OFTEN)](rng, screen)
    return screen, drawn_since(plain, screen)


def drawn_since(before: Plane, screen: Plane) -> Plane:
    """(H, W) bool: what changed, but for what was painted black."""
    return (screen != before) & (screen > 0)


def words(rng: Rng, longest: int = 18) -> str:
    """What could be a setting, a name or a date."""
    return "".join(rng.choice(_CHARACTERS, rng.integers(1, longest)))


def write(rng: Rng, screen: Plane, line: str, at: tuple[int, int], grey: int, scale: float) -> None:
    """Put a line of text onto a screen, in any of OpenCV's fonts."""
    thick = 2 if scale > 0.7 and rng.random() < 0.4 else 1
    cv2.putText(screen, line, at, int(rng.integers(8)), scale, grey, thick, cv2.LINE_AA)


def panel(rng: Rng, screen: Plane, plain: Plane) -> None:
    """A bar along a side, and on `screen` its buttons."""
    height, width = screen.shape
    share, side = rng.uniform(0.03, 0.22), rng.integers(4)
    high, wide = round(share * height), round(share * width)
    where = (np.s_[:high], np.s_[-high:], np.s_[:, :wide], np.s_[:, -wide:])[side]
    part = screen[where]
    part[:] = plain[where] = rng.integers(5, 160)
    if rng.random() < 0.6:
        for _ in range(rng.integers(1, 16)):
            x, y = int(rng.integers(part.shape[1])), int(rng.integers(part.shape[0]))
            corner = (x + int(rng.integers(6, 60)), y + int(rng.integers(6, 28)))
            cv2.rectangle(part, (x, y), corner, int(rng.integers(0, 256)), int(rng.choice([-1, 1])))
            if rng.random() < 0.5:
                write(rng, part, words(rng, 8), (x, y), int(rng.integers(0, 256)), rng.uniform(0.25, 0.6))


def text(rng: Rng, screen: Plane) -> None:
    """Lines of text, along the sides mostly."""
    height, width = screen.shape
    x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
    if rng.random() < 0.7:
        x = int(rng.choice([rng.integers(0, 0.06 * width), rng.integers(0.65 * width, 0.97 * width)]))
    scale, grey = rng.uniform(0.25, 1.0), int(rng.integers(60, 256))
    for line in range(rng.integers(1, 9)):
        write(rng, screen, words(rng), (x, y + round(line * scale * 34)), grey, scale)


def ruler(rng: Rng, screen: Plane) -> None:
    """Ticks or dots along a row or column."""
    plane = screen if rng.random() < 0.75 else screen.T
    height, width = plane.shape
    along, step, grey = int(rng.integers(0, width)), rng.uniform(4, 50), int(rng.integers(60, 256))
    start, long, long_every = rng.uniform(0, 130), rng.integers(2, 16), rng.integers(2, 11)
    for k, at in enumerate(np.arange(start, height - rng.uniform(0, 130), step)):
        ticked = int(2 * long if k % long_every == 0 else long)
        plane[int(at) : int(at) + 2, along : along + ticked] = grey
    if rng.random() < 0.3:
        plane[int(start) :, along : along + 1] = grey


def bar(rng: Rng, screen: Plane) -> None:
    """Of greys, or of the colours of Doppler."""
    height, width = screen.shape
    wide, high = int(rng.integers(5, 26)), int(rng.integers(0.08 * height, 0.6 * height))
    x, y = int(rng.integers(0, width - wide)), int(rng.integers(0, height - high))
    shades = np.linspace(255, 0, high)[:, None]
    if rng.random() < 0.3:
        shades = 255 * np.abs(np.linspace(-1, 1, high))[:, None]
    screen[y : y + high, x : x + wide] = shades.astype(np.uint8)


def beats(rng: Rng, size: Size, level: float, high: float) -> Plane:
    """(n, 2) points of an electrocardiogram around a row; one in four is of nobody, so flat."""
    width, high = size[1], high * (rng.random() > 0.25)
    x = np.arange(width)
    beat = rng.uniform(0.06, 0.35) * width
    phase = ((x + rng.uniform(0, beat)) % beat) / beat
    y = level - high * (np.exp(-(((phase - 0.3) / 0.03) ** 2)) + 0.2 * np.exp(-(((phase - 0.6) / 0.1) ** 2)))
    y += rng.normal(0, 0.5, width) * (high > 0)
    return np.stack([x, y], 1)[: int(rng.integers(width // 3, width))].astype(np.int32)


def curve(rng: Rng, screen: Plane) -> None:
    """An electrocardiogram at the bottom."""
    height = screen.shape[0]
    points = beats(rng, screen.shape, rng.uniform(0.6, 0.98) * height, rng.uniform(0.02, 0.15) * height)
    cv2.polylines(screen, [points], False, int(rng.integers(80, 256)), int(rng.integers(1, 3)), cv2.LINE_AA)


def logo(rng: Rng, screen: Plane, at: tuple[int, int] | None = None) -> None:
    """A disc, ellipse, box, triangle or letter."""
    height, width = screen.shape
    x, y = at or (int(rng.integers(width)), int(rng.integers(height)))
    size, grey, line = int(rng.integers(4, 30)), int(rng.integers(60, 256)), int(rng.choice([-1, 1, 2]))
    what = rng.integers(4)
    if what == 0:
        axes = size, int(size * rng.uniform(0.4, 1)) + 1
        cv2.ellipse(screen, (x, y), axes, 0, 0, 360, grey, line, cv2.LINE_AA)
    elif what == 1:
        cv2.rectangle(screen, (x, y), (x + size, y + int(rng.integers(3, 30))), grey, line)
    elif what == 2:
        corners = np.array([(x, y)] * 3) + rng.integers(-size, size + 1, (3, 2))
        cv2.polylines(screen, [corners.astype(np.int32)], True, grey, abs(line), cv2.LINE_AA)
    else:
        write(rng, screen, words(rng, 3), (x, y), grey, size / 25)


def line(rng: Rng, screen: Plane) -> None:
    """From side to side."""
    height, width = screen.shape
    x, y = int(rng.integers(width)), int(rng.integers(height))
    ends = ((0, y), (width, y)) if rng.random() < 0.5 else ((x, 0), (x, height))
    cv2.line(screen, *ends, int(rng.integers(30, 256)), 1)


def thumbnail(rng: Rng, screen: Plane) -> None:
    """A small picture, or a column of them."""
    height, width = screen.shape
    side = int(rng.integers(0.05 * height, 0.18 * height))
    x, y = int(rng.integers(0, width - side)), int(rng.integers(0, height - side))
    for top in range(y, height - side, side + 4)[: rng.integers(1, 6)]:
        grain = np.clip(90 + 60 * smooth(rng, (side, side), *rng.integers(3, 16, 2)), 0, 255)
        fan = np.zeros((side, side), np.uint8)
        half = int(rng.integers(20, 60))
        cv2.ellipse(fan, (side // 2, 0), (side, side), 0, 90 - half, 90 + half, 1, -1)
        screen[top : top + side, x : x + side] = grain * (fan if half < 45 else 1)


DRAWERS: tuple[Callable[[Rng, Plane], None], ...] = (text, ruler, bar, curve, logo, line, thumbnail)
_HOW_OFTEN = (0.44, 0.19, 0.1, 0.06, 0.12, 0.03, 0.06)
