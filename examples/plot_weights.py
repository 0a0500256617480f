"""wBackMix: how much a swapped example weighs
=========================================

When only a share f of the images has a sector, few examples are ever swapped. wBackMix lets those weigh
1 + λ(1 - f) and the others 1 - λf in the loss, so that the mean stays 1.
"""

import numpy as np
import torch
from matplotlib import pyplot as plt

import sectoraug as sa

# %%
# The weights of one swapped and one plain example, for every share of sectors and some strengths λ. The
# dots are the paper's Table 2: sectors for 5% of the frames, λ of 1 and 2. With λ = 0 it is plain BackMix.
pair = torch.tensor([True, False])
shares = np.linspace(0, 1, 101)
strengths = (0.5, 1.0, 2.0, 4.0)


def weights(lam, share):
    """Of a swapped and a plain example; nothing where the plain one's would be negative, which raises."""
    return sa.backmix_weights(pair, lam, share).tolist() if lam * share <= 1 else [np.nan, np.nan]


figure, (above, below) = plt.subplots(2, 1, figsize=(5, 7.5), sharex=True, layout="constrained")
for lam in strengths:
    swapped, plain = np.transpose([weights(lam, share) for share in shares])
    above.plot(shares, swapped, label=f"λ = {lam:g}")
    below.plot(shares, plain)
for lam in (1.0, 2.0):
    swapped, plain = weights(lam, 0.05)
    above.plot(0.05, swapped, "ko", label="the paper's" if lam == 2 else None)
    below.plot(0.05, plain, "ko")
for axis, title in ((above, "weight of a swapped example"), (below, "weight of any other example")):
    axis.set_title(title, fontsize=12)
    axis.grid(alpha=0.3)
above.legend(fontsize=11)
below.set_xlabel("f: share of swapped examples", fontsize=12)

# %%
# Where λf passes 1 the curves end: the others' weight would be negative, and `backmix_weights` raises.
try:
    sa.backmix_weights(pair, lam=4.0, fraction=0.5)
except ValueError as refusal:
    print(refusal)

# %%
# The mean weight is 1 in expectation; a single batch strays from it, the small ones most.
torch.manual_seed(0)
for size in (16, 64, 1024):
    batches = torch.rand(1000, size) < 0.05
    means = torch.stack([sa.backmix_weights(mixed, lam=1.0, fraction=0.05).mean() for mixed in batches])
    print(f"batches of {size}: mean weight {means.mean():.3f}, from {means.min():.2f} to {means.max():.2f}")
plt.show()
