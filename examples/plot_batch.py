"""A batch on the device
=====================

`RandomBackMix` swaps a whole batch at once, alone or in kornia's `AugmentationSequential`; images without a
sector are left alone.
"""

import kornia.augmentation as K
import torch
from matplotlib import pyplot as plt

import sectoraug as sa

torch.manual_seed(0)

# %%
# Six frames of the phantom; two of them have no sector, which is a sector of zeros.
data = sa.phantom.make_dataset(6, size=(144, 144), seed=1)
images = torch.from_numpy(data.images)[:, None].float() / 255  # (6, 1, 144, 144)
sectors = torch.from_numpy(data.sectors)[:, None].float()  # (6, 1, 144, 144)
sectors[[2, 4]] = 0

# %%
# Alone: those with a sector pass their backgrounds around in one ring, and `mixed` says who took part.
op = sa.RandomBackMix()
swapped = op(images, sectors)
print("alone:     ", op.mixed.tolist())

# %%
# In kornia's container it stands last, after what moves image and sector together. The sectors come back,
# moved. Donors are images of the batch that were moved too, so some text is mirrored; a pool's are not.
train = K.AugmentationSequential(
    K.RandomRotation(30.0), K.RandomHorizontalFlip(), op, data_keys=["input", "mask"]
)
augmented, moved = train(images, sectors)
print("container: ", op.mixed.tolist())

# %%
# A row each image: as it came, swapped, and rotated, flipped and swapped with the sector's new outline.
figure, axes = plt.subplots(6, 3, figsize=(5.5, 11), layout="constrained")
for row, line in enumerate(axes):
    for axis, batch in zip(line, (images, swapped, augmented), strict=True):
        axis.imshow(batch[row, 0].numpy(), cmap="gray", vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[])
    if moved[row].any():
        line[2].contour(moved[row, 0].numpy(), [0.5], colors="gold", linewidths=1.2)
    line[0].set_ylabel("mixed" if op.mixed[row] else "no sector", fontsize=12)
for axis, title in zip(axes[0], ("batch", "swapped", "augmented,\nswapped"), strict=True):
    axis.set_title(title, fontsize=12)
plt.show()
