"""The phantom, a contact sheet
============================

Synthetic echo whose every pixel is known: four views, eight vendors' overlays, three shapes of sector, and
a shortcut planted on purpose.
"""

import numpy as np
from matplotlib import pyplot as plt

import sectoraug as sa

SIZE = (112, 112)


def sheet(frames, columns, rows=(), title=""):
    """Frames in a table, named along its edges."""
    height, width = SIZE
    n_rows, n_columns = len(frames) // len(columns), len(columns)
    table = np.concatenate(frames).reshape(n_rows, n_columns, height, width).swapaxes(1, 2)
    _, axis = plt.subplots(figsize=(5.5, 0.7 + 5.2 * n_rows / n_columns), layout="constrained")
    axis.imshow(table.reshape(n_rows * height, n_columns * width), cmap="gray", vmin=0, vmax=255)
    axis.set_xticks((np.arange(n_columns) + 0.5) * width, columns, fontsize=12)
    axis.set_yticks((np.arange(len(rows)) + 0.5) * height, rows, fontsize=12, rotation=90, va="center")
    axis.tick_params(length=0, labeltop=True, labelbottom=False)
    axis.spines[:].set_visible(False)
    axis.set_title(title, fontsize=13)


# %%
# Views and vendors
# -----------------
# One heart in four views; each vendor writes its own text, rulers and ECG around the sector,
# which stays the same.
views, vendors = sa.phantom.VIEWS, sa.phantom.VENDORS
frames = [
    sa.phantom.make_clip(view, 1, SIZE, seed=3, vendor=vendor).frames[0]
    for vendor in vendors
    for view in views
]
sheet(frames, views, vendors)

# %%
# Shapes of sectors
# -----------------
shapes = ("fan", "curved", "linear")
frames = [
    sa.phantom.make_clip("A4C", 1, SIZE, seed=3, vendor=vendor, geometry=shape).frames[0]
    for vendor in ("cobalt", "harbor")
    for shape in shapes
]
sheet(frames, shapes, ("cobalt", "harbor"))

# %%
# A shortcut
# ----------
# With `shortcut=1` each view has its own vendor: whoever reads the overlay needs no heart. With `shortcut=0`
# the vendor says nothing of the view. Inside the sectors the two sets are the same, bit for bit.
tied = sa.phantom.make_dataset(64, shortcut=1, seed=0, size=SIZE)
free = sa.phantom.make_dataset(64, shortcut=0, seed=0, size=SIZE)
shifted = sa.phantom.make_dataset(64, shortcut=0, seed=0, size=SIZE, domain="shifted")
same = np.array_equal(tied.images[tied.sectors], free.images[free.sectors])
print("the same inside the sectors:", same)

# %%
# Twelve images of each: the views' own vendors, any of these vendors, and other hospitals with other vendors.
for title, data in {"shortcut=1": tied, "shortcut=0": free, 'shortcut=0, domain="shifted"': shifted}.items():
    tied_share = np.mean(data.layouts == data.labels)
    print(f"{title}: {tied_share:.0%} of the images have the overlay tied to their view")
    sheet(data.images[:12], [views[label] for label in data.labels[:4]], title=title)
plt.show()
