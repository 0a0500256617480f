"""Where a network looks, with BackMix and without
===============================================

Two small networks learn four views from images whose overlay gives the view away, one of them with BackMix.
GradCAM, %E and %F tell where each looks. One seed and seconds of training: a demonstration, no measurement
([results](../results.md)).
"""

import torch
from matplotlib import pyplot as plt
from torch import nn

import sectoraug as sa

# %%
# In training the overlay tells the view every time; in the test any view may have any overlay.
train = sa.phantom.make_dataset(512, shortcut=1.0, seed=0, size=(64, 64))
test = sa.phantom.make_dataset(256, shortcut=0.0, seed=1, size=(64, 64))
images, sectors, labels = (torch.from_numpy(each) for each in (train.images, train.sectors, train.labels))
test_images = torch.from_numpy(test.images)[:, None].float() / 255
test_sectors, test_labels = torch.from_numpy(test.sectors), torch.from_numpy(test.labels)


# %%
# The network, and its training; the only difference is the line that swaps backgrounds within the batch.
def block(n_in, n_out):
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, 2, 1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU())


def trained(swap, epochs=10):
    torch.manual_seed(0)
    model = nn.Sequential(block(1, 16), block(16, 32), block(32, 64), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model.append(nn.Linear(64, 4))
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(32):
            batch = images[rows][:, None]
            if swap is not None:
                batch = swap(batch, sectors[rows])
            loss = nn.functional.cross_entropy(model(batch.float() / 255), labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return model.eval()


# %%
# Accuracy, and the share of each map inside the sector. A uniform map scores the coverage.
maps = {}
for name, swap in {"without": None, "BackMix": sa.RandomBackMix()}.items():
    with sa.GradCAM(trained(swap), "2") as gradcam:
        maps[name] = gradcam(test_images)
    right = (gradcam.scores.argmax(1) == test_labels).float().mean()
    focus = sa.Focus()
    focus.update(maps[name], test_sectors)
    found = focus.compute()
    print(
        f"{name}: accuracy {right:.0%}, %E {found['energy_percent']:.0f}, %F {found['focus_percent']:.0f}, "
        f"coverage {found['coverage_percent']:.0f}, {found['n_empty']} dead maps of {found['n_images']}"
    )

# %%
# The first image of each view: what speaks for the predicted class, red most.
figure, axes = plt.subplots(4, 3, figsize=(5.5, 7.4), layout="constrained")
for row, line in enumerate(axes):
    line[0].set_ylabel(sa.phantom.VIEWS[test.labels[row]], fontsize=12)
    for axis, name in zip(line, (None, *maps), strict=True):
        axis.imshow(test.images[row], cmap="gray")
        axis.set(xticks=[], yticks=[])
        if name is not None:
            axis.imshow(maps[name][row].numpy(), cmap="jet", alpha=0.45, vmin=0, vmax=1)
            axis.contour(test.sectors[row], [0.5], colors="white", linewidths=0.8)
            inside = sa.energy_percent(maps[name][row : row + 1], test_sectors[row : row + 1]).item()
            axis.set_xlabel(f"%E {inside:.0f}", fontsize=12)
for axis, title in zip(axes[0], ("test image", *maps), strict=True):
    axis.set_title(title, fontsize=12)
plt.show()
