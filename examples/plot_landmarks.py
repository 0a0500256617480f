"""Landmarks where a clip moves
============================

`energy_landmarks` gives the points of a clip that move most: a stand-in for where a reader's eyes rest, at
which a layer's features can be compared.
"""

import cv2
import numpy as np
from matplotlib import pyplot as plt
from pydicom import examples

import sectoraug as sa

# %%
# A real echo clip in grey, and its sector.
colour = sa.read_clip(examples.get_path("ybr_color"))
clip = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in colour])
sector = sa.sector_from_clip(colour).sector

# %%
# At most five points, the strongest first, kept apart from each other and from the sector's edge,
# which moves too.
points = sa.energy_landmarks(clip, sector, n=5)
motion = np.abs(np.diff(clip.astype(int), axis=0)).mean(0)
for rank, (row, column) in enumerate(points, 1):
    moves = motion[int(row), int(column)]
    print(f"{rank}: row {row:.0f}, column {column:.0f}, moves {moves:.1f} grey levels a frame")

# %%
# Over the mean motion, and over a frame: valves and walls, but energy knows no anatomy.
figure, axes = plt.subplots(2, 1, figsize=(5.5, 8.2), layout="constrained")
for axis, picture, title in zip(axes, (motion, clip[0]), ("mean |difference|", "first frame"), strict=True):
    axis.imshow(picture, cmap="magma" if picture is motion else "gray")
    axis.contour(sector, [0.5], colors="white", linewidths=0.8)
    axis.scatter(points[:, 1], points[:, 0], s=160, facecolors="none", edgecolors="deepskyblue", linewidths=2)
    for rank, (row, column) in enumerate(points, 1):
        axis.annotate(
            str(rank), (column, row), (9, 6), textcoords="offset points", color="white", fontsize=13
        )
    axis.set_title(title, fontsize=12)
    axis.axis("off")
plt.show()

# %%
# *Clip: examples_ybr_color.dcm of [pydicom](https://github.com/pydicom/pydicom) (MIT).*
