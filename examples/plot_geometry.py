"""The geometry of a real clip
===========================

`sector_from_clip` fits an outline of a few numbers to where a clip moves: an apex, two angles, two radii.
With them the fan can be straightened to the beams that drew it.
"""

import cv2
import numpy as np
from matplotlib import pyplot as plt
from pydicom import examples

import sectoraug as sa

# %%
# A real echo clip, and what was found in it.
clip = sa.read_clip(examples.get_path("ybr_color"))
found = sa.sector_from_clip(clip)
fan = found.geometry
left, right = np.rad2deg(fan.angles_rad)
print(
    f"{fan.kind}, quality {found.quality:.2f}: {left:.1f} to {right:.1f} degrees, depth {fan.depth_px:.0f} px"
)

# %%
# Depth and angles, drawn from the geometry alone.
frame, (x, y) = clip[0], fan.apex_px
figure, axis = plt.subplots(figsize=(5.5, 4.4), layout="constrained")
axis.imshow(frame)
axis.contour(found.sector, [0.5], colors="gold", linewidths=1.5)
for angle in (*fan.angles_rad, 0.0):
    ends = [(x + r * np.sin(angle), y + r * np.cos(angle) / fan.pixel_aspect) for r in fan.radii_px]
    axis.plot(*np.transpose(ends), color="deepskyblue", linestyle=":" if angle == 0 else "-")
    label, offset = f"{np.rad2deg(angle):.0f}°", (12 * np.sin(angle), 8 if angle else -20)
    axis.annotate(label, ends[1], offset, textcoords="offset points", color="white", fontsize=13, ha="center")
axis.plot(x, y, "o", color="deepskyblue")
axis.set_title(
    f"{fan.kind} array, {np.rad2deg(fan.opening_rad):.0f}° wide, {fan.depth_px:.0f} px deep", fontsize=12
)
axis.axis("off")

# %%
# The same frame along its beams: one column a beam, one row a depth, nothing but sector.
depths, beams = 256, 192
polar = cv2.remap(frame, *fan.polar_maps(depths, beams), cv2.INTER_LINEAR)
figure, axis = plt.subplots(figsize=(5.5, 5), layout="constrained")
axis.imshow(polar, extent=(left, right, fan.depth_px, 0), aspect="auto")
axis.set_xlabel("angle of the beam, degrees", fontsize=12)
axis.set_ylabel("depth, px", fontsize=12)

# %%
# And back: what was sampled along the beams gives the sector again, and black around it.
back = cv2.remap(polar, *fan.cartesian_maps(frame.shape[:2], depths, beams), cv2.INTER_LINEAR)
inside = cv2.erode(found.sector.astype(np.uint8), np.ones((5, 5))) != 0
error = np.abs(back[inside].astype(int) - frame[inside]).mean()
print(f"there and back: {error:.2f} grey levels of difference inside, on average")
plt.show()

# %%
# *Clip: examples_ybr_color.dcm of [pydicom](https://github.com/pydicom/pydicom) (MIT).*
