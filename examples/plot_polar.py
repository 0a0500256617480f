"""A frame along its beams
=======================

A scanner records depths along beams and bends them into a fan. `to_polar` straightens a fan, `from_polar`
bends it again: in between rows are depths, columns are beams, and nothing around the sector is left.
"""

import numpy as np
from matplotlib import pyplot as plt

import sectoraug as sa

# %%
# A phantom's clip and its outline, there and back.
clip = sa.phantom.make_clip("A4C", frames=8, size=(224, 224), seed=3, vendor="cobalt")
fan = sa.fit_outline(clip.sector)
polar = fan.to_polar(clip.frames)
back = fan.from_polar(polar, (224, 224))
inside = fan.rasterise((224, 224))
error = np.abs(back.astype(int) - clip.frames)[:, inside & clip.sector].mean()
print(f"{clip.frames.shape} -> {polar.shape} -> {back.shape}")
print(f"inside: {error:.1f} grey levels of difference on average; outside: {back[:, ~inside].max()}")

# %%
# Top to bottom: the frame, its beams side by side, and the fan made of them.
figure, axes = plt.subplots(3, 1, figsize=(5.5, 12), layout="constrained")
pictures = {"frame": clip.frames[0], "to_polar: a column a beam": polar[0], "from_polar": back[0]}
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=255)
    axis.set_title(title, fontsize=13)
    axis.axis("off")
plt.show()
