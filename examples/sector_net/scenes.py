"""Made-up screens of ultrasound scanners: any outline, any texture, anything burned in around it."""

from __future__ import annotations

import string
from collections.abc import Callable

import cv2
import numpy as np

import sectoraug as sa

SIDE_PX = 320  # drawn at this size and then made smaller, so that text turns into what it is at 128
_CHARACTERS = string.ascii_letters + string.digits + " .:-/%"
Rng = np.random.Generator


def scene(rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) uint8 screen, and (H, W) bool sector, of SIDE_PX each."""
    shape = outline(rng)
    sector = shape.rasterise((SIDE_PX, SIDE_PX))
    inside = texture(rng, shape)
    if rng.random() < 0.25:
        draw_inside(rng, inside, sector)
    screen = np.where(sector, inside, background(rng, sector))
    return spoiled(rng, screen), sector


def phantom_scene(rng: Rng) -> tuple[np.ndarray, np.ndarray]:
    """A frame of the package's phantom on a made-up screen."""
    clip = sa.phantom.make_clip(
        str(rng.choice(sa.phantom.VIEWS)),
        1,
        (160, 160),
        int(rng.integers(1e9)),
        vendor=str(rng.choice(sa.phantom.VENDORS)),
        geometry=str(rng.choice(["fan", "curved", "linear"])),
        half_opening_deg=rng.uniform(16, 47),
        depth_share=rng.uniform(0.6, 0.92),
        gain=rng.uniform(0.3, 1.8),
        reject=rng.uniform(0.02, 0.25),
        noise=rng.uniform(0, 1),
        haze=rng.uniform(0, 1),
        shadow=rng.uniform(0, 1),
        blur=rng.uniform(0, 1),
    )
    frame, sector = (
        cv2.resize(p, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_LINEAR)
        for p in (clip.frames[0], clip.sector.astype(np.uint8) * 255)
    )
    frame, sector = warped(rng, frame, sector)
    if rng.random() < 0.6:
        frame = np.where(sector > 127, frame, background(rng, sector > 127))
    return spoiled(rng, frame), sector > 127


def warped(rng: Rng, frame: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """The same shift, scaling, stretching, cropping and mirroring of SIDE_PX pictures."""
    scale_x = rng.uniform(0.65, 1.4) * rng.choice([-1, 1])
    scale_y = abs(scale_x) * rng.uniform(0.75, 1.33)
    half = SIDE_PX / 2
    by_x, by_y = rng.normal(0, 0.07 * SIDE_PX, 2)
    matrix = np.array(
        [[scale_x, 0, half - scale_x * half + by_x], [0, scale_y, half - scale_y * half + by_y]]
    )
    return [cv2.warpAffine(p, matrix, (SIDE_PX, SIDE_PX), flags=cv2.INTER_LINEAR) for p in (frame, *others)]


def outline(rng: Rng) -> sa.SectorGeometry:
    """Any sector that covers a twelfth of the screen or more."""
    n = SIDE_PX
    while True:
        shape = _outline(rng, n)
        if shape.rasterise((64, 64)).shape and shape.scaled(0.25).rasterise((n // 4, n // 4)).mean() > 0.08:
            return shape


def _outline(rng: Rng, n: int) -> sa.SectorGeometry:
    whole = (-0.5, -0.5, n - 0.5, n - 0.5)
    kind = rng.choice(
        ["phased", "curved", "zoomed", "trapezoid", "rectangle", "frame"],
        p=[0.27, 0.24, 0.1, 0.1, 0.21, 0.08],
    )
    if kind == "frame":
        cuts = np.where(rng.random(4) < 0.3, rng.uniform(0, 0.12, 4) * n, 0)
        return sa.SectorGeometry(
            "rectangle", (cuts[0] - 0.5, cuts[1] - 0.5, n - 0.5 - cuts[2], n - 0.5 - cuts[3])
        )
    if kind == "rectangle":
        width, height = n * rng.uniform(0.15, 1), n * rng.uniform(0.3, 1)
        left, top = rng.uniform(0, n - width), rng.uniform(0, n - height)
        return sa.SectorGeometry("rectangle", (left, top, left + width, top + height))
    aspect = float(np.exp(rng.normal(0, 0.25)))
    x = n * rng.normal(0.5, 0.09)
    tilt = rng.normal(0, 0.12) if rng.random() < 0.15 else 0.0
    if kind == "phased":
        half, top, first = rng.uniform(0.3, 0.9), n * rng.uniform(-0.02, 0.28), n * rng.uniform(0, 0.06)
        depth = n * rng.uniform(0.45, 1.05)
    elif kind == "curved":
        half, first = rng.uniform(0.2, 0.75), n * rng.uniform(0.08, 0.6)
        top, depth = n * rng.uniform(-0.05, 0.25) - first * np.cos(half) / aspect, n * rng.uniform(0.4, 0.95)
    elif kind == "zoomed":
        half, first = rng.uniform(0.2, 0.7), n * rng.uniform(0, 0.4)
        top, depth = -n * rng.uniform(0.1, 0.9), n * rng.uniform(1, 2)
    else:
        half, first = rng.uniform(0.02, 0.3), n * rng.uniform(0.8, 3)
        top, depth = n * rng.uniform(0, 0.3) - first / aspect, n * rng.uniform(0.35, 0.9)
    box = list(whole)
    if kind != "trapezoid" and rng.random() < 0.2:
        side = rng.integers(4)
        box[side] = (0 if side < 2 else n) + (1 if side < 2 else -1) * n * rng.uniform(0.02, 0.25)
    shape = sa.SectorGeometry(
        "curved" if kind in ("curved", "zoomed") else str(kind),
        tuple(box),
        (float(x), float(top)),
        (-half + tilt, half + tilt),
        (float(first), float(first + depth * aspect)),
        aspect,
    )
    return shape.upside_down(n) if rng.random() < 0.04 else shape


def smooth(rng: Rng, size: tuple[int, int], rows: int, columns: int) -> np.ndarray:
    """Noise of mean 0 and standard deviation 1 on a grid of so many cells, drawn out to `size`."""
    grid = rng.standard_normal((rows, columns)).astype(np.float32)
    return cv2.resize(grid, size[::-1], interpolation=cv2.INTER_CUBIC)


def texture(rng: Rng, shape: sa.SectorGeometry) -> np.ndarray:
    """Speckle, layers, cavities, shadows and depth gain along the beams of a sector: (H, W) uint8."""
    size = (160, 160)
    level = np.zeros(size, np.float32)  # in nepers
    for _ in range(rng.integers(1, 4)):
        level += rng.uniform(0.2, 1) * smooth(rng, size, *rng.integers(2, 20, 2))
    if rng.random() < 0.6:  # layers across the beams
        level += rng.uniform(0.2, 1.2) * smooth(rng, size, int(rng.integers(8, 50)), int(rng.integers(2, 5)))
    if rng.random() < 0.6:  # cavities without echoes
        cavity = smooth(rng, size, *rng.integers(2, 7, 2)) > rng.uniform(-0.3, 1.2)
        level -= rng.uniform(1, 6) * cv2.GaussianBlur(cavity.astype(np.float32), (0, 0), rng.uniform(0.5, 3))
    depth = np.linspace(0, 1, size[0], dtype=np.float32)[:, None]
    level -= rng.normal(0.8, 1.2) * depth
    if rng.random() < 0.2:  # silence above or below some depth
        beyond = depth > rng.uniform(0.1, 0.8)
        level -= rng.uniform(2, 8) * (beyond if rng.random() < 0.75 else ~beyond)
    if rng.random() < 0.5:  # shadows, or probes without contact at the sides
        beams = smooth(rng, (1, size[1]), 1, int(rng.integers(3, 12))) > rng.uniform(0.2, 1.5)
        shade = cv2.GaussianBlur(np.repeat(beams.astype(np.float32), size[0], 0), (0, 0), rng.uniform(0.5, 4))
        level -= rng.uniform(0.5, 5) * shade * (depth > rng.uniform(-0.3, 0.6))
    fine = rng.standard_normal((2, *size)).astype(np.float32)
    blur = (rng.uniform(0.3, 2.5), rng.uniform(0.3, 1.5))
    fine = np.stack([cv2.GaussianBlur(p, (0, 0), sigmaX=blur[0], sigmaY=blur[1]) for p in fine])
    speckle = np.log(np.hypot(*(fine / fine.std())) + 0.05)
    level += speckle * rng.uniform(0.2, 1.1)
    if rng.random() < 0.4:  # bright reflectors
        level += rng.uniform(1, 3) * (smooth(rng, size, *rng.integers(4, 30, 2)) > 1.8)
    shown = 128 * rng.uniform(0.5, 1.2) + rng.uniform(20, 60) * level
    picture = np.clip(shown, 0, 255) * rng.uniform(0.4, 1)
    floor = rng.choice([0.0, rng.uniform(0, 8)])
    picture = np.maximum(picture, floor * rng.random(size, np.float32))

    maps = shape.cartesian_maps((SIDE_PX, SIDE_PX), *size)
    return cv2.remap(picture.astype(np.uint8), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def background(rng: Rng, sector: np.ndarray) -> np.ndarray:
    """A screen without its sector: panels, text, rulers, bars, curves, logos, thumbnails."""
    screen = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    if rng.random() < 0.2:
        screen[:] = rng.choice(
            [rng.integers(1, 12), rng.integers(12, 80), rng.integers(180, 256)], p=[0.6, 0.3, 0.1]
        )
    if rng.random() < 0.15:
        return screen
    for _ in range(rng.poisson(0.5)):
        panel(rng, screen)
    for _ in range(rng.poisson(4)):
        DRAWERS[rng.choice(len(DRAWERS), p=_HOW_OFTEN)](rng, screen)
    return screen


def panel(rng: Rng, screen: np.ndarray) -> None:
    share, side = rng.uniform(0.03, 0.22), rng.integers(4)
    deep = round(share * SIDE_PX)
    area = (np.s_[:deep], np.s_[-deep:], np.s_[:, :deep], np.s_[:, -deep:])[side]
    screen[area] = rng.integers(5, 160)
    if rng.random() < 0.5:
        part = screen[area]
        for _ in range(rng.integers(1, 12)):
            x, y = rng.integers(part.shape[1]), rng.integers(part.shape[0])
            cv2.rectangle(
                part,
                (int(x), int(y)),
                (int(x + rng.integers(4, 30)), int(y + rng.integers(4, 14))),
                int(rng.integers(0, 256)),
                int(rng.choice([-1, 1])),
            )


def text(rng: Rng, screen: np.ndarray) -> None:
    x, y = int(rng.integers(0, SIDE_PX)), int(rng.integers(0, SIDE_PX))
    if rng.random() < 0.7:  # along the sides mostly
        x = int(rng.choice([rng.integers(0, 20), rng.integers(SIDE_PX - 110, SIDE_PX - 10)]))
    font, scale = int(rng.integers(8)), rng.uniform(0.2, 0.7)
    grey = int(rng.integers(60, 256))
    for line in range(rng.integers(1, 9)):
        words = "".join(rng.choice(list(_CHARACTERS), rng.integers(2, 18)))
        cv2.putText(screen, words, (x, y + round(line * scale * 34)), font, scale, grey, 1, cv2.LINE_AA)


def ruler(rng: Rng, screen: np.ndarray) -> None:
    along, step, grey = int(rng.integers(0, SIDE_PX)), rng.uniform(3, 30), int(rng.integers(60, 256))
    start, long, long_every = rng.uniform(0, 80), rng.integers(2, 10), rng.integers(2, 11)
    plane = screen if rng.random() < 0.75 else screen.T
    for k, at in enumerate(np.arange(start, SIDE_PX - rng.uniform(0, 80), step)):
        width = int(2 * long if k % long_every == 0 else long)
        plane[int(at) : int(at) + 2, along : along + width] = grey
    if rng.random() < 0.3:
        plane[int(start) :, along : along + 1] = grey


def bar(rng: Rng, screen: np.ndarray) -> None:
    wide, high = int(rng.integers(4, 16)), int(rng.integers(30, 200))
    x, y = int(rng.integers(0, SIDE_PX - wide)), int(rng.integers(0, SIDE_PX - high))
    shades = np.linspace(255, 0, high)[:, None]
    if rng.random() < 0.3:
        shades = 255 * np.abs(np.linspace(-1, 1, high))[:, None]
    screen[y : y + high, x : x + wide] = shades.astype(np.uint8)


def curve(rng: Rng, screen: np.ndarray) -> None:
    n = SIDE_PX
    x = np.arange(n)
    beat, high = rng.uniform(20, 120), rng.uniform(8, 50)
    phase = ((x + rng.uniform(0, beat)) % beat) / beat
    y = rng.uniform(0.6, 0.98) * n - high * (
        np.exp(-(((phase - 0.3) / 0.03) ** 2)) + 0.2 * np.exp(-(((phase - 0.6) / 0.1) ** 2))
    )
    y += rng.normal(0, 0.5, n)
    upto = int(rng.integers(n // 3, n))
    points = np.stack([x[:upto], y[:upto]], 1).astype(np.int32)
    cv2.polylines(screen, [points], False, int(rng.integers(80, 256)), int(rng.integers(1, 3)), cv2.LINE_AA)


def logo(rng: Rng, screen: np.ndarray) -> None:
    x, y = (int(v) for v in rng.integers(0, SIDE_PX, 2))
    size, grey, line = int(rng.integers(3, 22)), int(rng.integers(60, 256)), int(rng.choice([-1, 1, 2]))
    if rng.random() < 0.5:
        cv2.ellipse(
            screen, (x, y), (size, int(size * rng.uniform(0.4, 1)) + 1), 0, 0, 360, grey, line, cv2.LINE_AA
        )
    else:
        cv2.rectangle(screen, (x, y), (x + size, y + int(rng.integers(3, 22))), grey, line)


def line(rng: Rng, screen: np.ndarray) -> None:
    x, y = (int(v) for v in rng.integers(0, SIDE_PX, 2))
    ends = ((0, y), (SIDE_PX, y)) if rng.random() < 0.5 else ((x, 0), (x, SIDE_PX))
    cv2.line(screen, *ends, int(rng.integers(30, 256)), 1)


def thumbnail(rng: Rng, screen: np.ndarray) -> None:
    side = int(rng.integers(16, 56))
    x, y = (int(v) for v in rng.integers(0, SIDE_PX - side, 2))
    grain = smooth(rng, (side, side), *rng.integers(3, 16, 2))
    screen[y : y + side, x : x + side] = np.clip(90 + 60 * grain, 0, 255)


DRAWERS: tuple[Callable[[Rng, np.ndarray], None], ...] = (text, ruler, bar, curve, logo, line, thumbnail)
_HOW_OFTEN = (0.44, 0.2, 0.1, 0.06, 0.12, 0.03, 0.05)


def draw_inside(rng: Rng, inside: np.ndarray, sector: np.ndarray) -> None:
    """What scanners and people draw over echoes: calipers, labels, dots, colour boxes, black boxes."""
    rows, columns = np.nonzero(sector)

    def point() -> tuple[int, int]:
        k = rng.integers(len(rows))
        return int(columns[k]), int(rows[k])

    grey = int(rng.integers(120, 256))
    for _ in range(rng.integers(1, 4)):
        what = rng.integers(5)
        if what == 0:
            a, b = point(), point()
            cv2.line(inside, a, b, grey, 1)
            for end in (a, b):
                cv2.drawMarker(inside, end, grey, cv2.MARKER_CROSS, 9)
        elif what == 1:
            cv2.putText(
                inside,
                "".join(rng.choice(list(_CHARACTERS), rng.integers(1, 12))),
                point(),
                int(rng.integers(8)),
                rng.uniform(0.25, 0.6),
                grey,
                1,
                cv2.LINE_AA,
            )
        elif what == 2:
            x = point()[0]
            for y in range(int(rng.integers(0, 30)), SIDE_PX, int(rng.integers(8, 40))):
                cv2.circle(inside, (x, y), 1, grey, -1)
        elif what == 3:
            a, b = point(), point()
            blobs = cv2.resize((rng.random((9, 9)) > 0.6).astype(np.uint8), (SIDE_PX, SIDE_PX)) > 0
            box = np.zeros(inside.shape, np.uint8)
            cv2.rectangle(box, a, b, 1, -1)
            inside[blobs & (box > 0)] = rng.integers(60, 220)
            cv2.rectangle(inside, a, b, grey, 1)
        else:
            x, y = point()
            cv2.rectangle(
                inside,
                (x, y),
                (x + int(rng.integers(10, 90)), y + int(rng.integers(8, 60))),
                int(rng.choice([0, 0, grey])),
                -1,
            )


def spoiled(rng: Rng, screen: np.ndarray) -> np.ndarray:
    """Blur, noise, gamma, and the blocks of JPEG."""
    if rng.random() < 0.3:
        screen = cv2.GaussianBlur(screen, (0, 0), rng.uniform(0.3, 2))
    if rng.random() < 0.5:
        levels = 255 * np.linspace(0, 1, 256) ** np.exp(rng.normal(0, 0.4)) * rng.uniform(0.5, 1)
        screen = cv2.LUT(np.ascontiguousarray(screen), levels.astype(np.uint8))
    if rng.random() < 0.12:
        screen = np.clip(screen + rng.normal(0, rng.uniform(0.5, 8), screen.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        _, packed = cv2.imencode(".jpg", screen, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 96))])
        screen = cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)
    return screen
