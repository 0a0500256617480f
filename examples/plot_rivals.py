"""BackMix and its rivals on one frame
===================================

What does each way to treat a background leave of the text around the sector?
"""

import albumentations as A
import numpy as np
import torch
from matplotlib import pyplot as plt
from pydicom import examples
from torchvision.transforms import v2

import sectoraug as sa

torch.manual_seed(0)

# %%
# A real still with much text around its sector, and a pool with one other still to take a background from.
image, other = (sa.read_clip(examples.get_path(name))[0] for name in ("jpeg2k", "palette_color"))
sector = sa.sector_from_image(image).sector.astype(np.uint8)
pool = sa.BackgroundPool.from_arrays(
    [other], [sa.sector_from_image(other).sector], size=image.shape[:2], resize="stretch"
)

# %%
# All of them are albumentations transforms with the same keys.
rivals = {
    "BackMix": sa.BackMix(pool),
    "Black": sa.BlackBackground(),
    "Noise": sa.NoiseBackground(),
    "Shuffle": sa.ShuffleBackground(),
    "Dim (authors' bokeh)": sa.DimBackground(),
    "Blur (bokeh)": sa.BlurBackground(),
}
pictures = {"Original": image}
for name, rival in rivals.items():
    pictures[name] = A.Compose([rival])(image=image, mask=sector)["image"]

# %%
# CutMix knows no sector: it pastes a box of another image, text and all, and mixes the labels.
pair = torch.from_numpy(np.stack([image, A.Resize(*image.shape[:2])(image=other)["image"]]))
mixed, _ = v2.CutMix(alpha=4.0, num_classes=2)(pair.permute(0, 3, 1, 2), torch.tensor([0, 1]))
pictures["CutMix (torchvision)"] = mixed[0].permute(1, 2, 0).numpy()

# %%
# The number is the correlation of the new background with the old one: 1 where the text is all there still,
# 0 where nothing of it is left. Dimmed text reads as well as ever.
figure, axes = plt.subplots(4, 2, figsize=(5.5, 9), layout="constrained")
outside = sector == 0
for axis, (name, picture) in zip(axes.flat, pictures.items(), strict=True):
    old, new = (each[outside].astype(float).ravel() for each in (image, picture))
    left = np.corrcoef(old, new)[0, 1] if new.std() else 0.0
    changed = int((picture[~outside] != image[~outside]).sum())
    print(f"{name}: correlation {left:.2f}, values changed inside the sector {changed}")
    axis.imshow(picture)
    axis.set_title(f"{name}: {left:.2f}", fontsize=11)
    axis.axis("off")
plt.show()

# %%
# *Stills: examples_jpeg2k.dcm, examples_palette.dcm of [pydicom](https://github.com/pydicom/pydicom) (MIT).*
