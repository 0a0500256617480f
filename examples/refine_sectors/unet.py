"""A U-Net that learns sectors from frames, and how it is trained and scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import kornia.augmentation as K
import numpy as np
import torch
from monai.losses import DiceLoss
from monai.networks.nets import BasicUNet
from scipy import ndimage
from sequences import Sequence, iou
from torch import nn
from torch.nn import functional
from tqdm import tqdm

import sectoraug as sa

SCORED_FRAMES = 10
"""Of each sequence, evenly spaced."""

AMX = getattr(torch.cpu, "get_capabilities", dict)().get("amx_bf16", False)
"""Whether this CPU multiplies in bfloat16; one without instructions for it takes ten times as long in it."""


class PaperUNet(BasicUNet):
    """Ronneberger's U-Net on a frame; `width` features at full size (64 in his)."""

    def __init__(self, width: int) -> None:
        features = (width, width, 2 * width, 4 * width, 8 * width, width)
        super().__init__(spatial_dims=2, in_channels=1, out_channels=1, features=features)

    @staticmethod
    def planes(frames: np.ndarray) -> np.ndarray:
        """(T, H, W) frames to the network's (T, 1, H, W)."""
        return frames[:, None]

    @staticmethod
    def sectors(logits: np.ndarray, n: int) -> np.ndarray:
        """(n, H, W) bool of as many logits."""
        return logits > 0


class ModernUNet(nn.Module):
    """A U-Net on a fourth of the resolution that knows its sequence's brightest image, and where a pixel is.

    Grey levels go in as they are and on a logarithmic scale, which shows the noise floor of dark echoes. A
    sequence has one sector: an outline fitted to what its frames are sure of together.
    """

    shrink = 4
    sure = 0.5
    """The least mean logit inside. Text lies within a pixel or two of the sector, closer than the network is
    right, so that what is likely alone (0) takes some of it in. Chosen on sequences of another seed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        features = (width, 2 * width, 3 * width, 4 * width, 4 * width, width)
        self.unet = BasicUNet(
            spatial_dims=2,
            in_channels=6 * self.shrink**2 + 2,
            out_channels=self.shrink**2,
            features=features,
            norm="batch",
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        small = functional.pixel_unshuffle(images, self.shrink)
        places = [torch.linspace(-1, 1, n, device=images.device) for n in small.shape[2:]]
        grid = torch.stack(torch.meshgrid(*places, indexing="ij")).expand(len(images), -1, -1, -1)
        known = torch.cat([small, torch.log1p(255 * small) / np.log(256), grid], 1)
        fast = images.is_cuda or AMX
        if fast:
            known = known.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=fast):
            logits = self.unet(known)
        return functional.pixel_shuffle(logits.float(), self.shrink)

    @staticmethod
    def planes(frames: np.ndarray) -> np.ndarray:
        """(T, H, W) frames to the network's (T, 3, H, W): each beside the brightest of all and its change."""
        brightest = frames.max(0)
        known = (np.broadcast_to(plane, frames.shape) for plane in (brightest, brightest - frames.min(0)))
        return np.stack([frames, *known], 1)

    @classmethod
    def sectors(cls, logits: np.ndarray, n: int) -> np.ndarray:
        """(n, H, W) bool of (T, H, W) logits: the same n times."""
        sector = logits.mean(0) > cls.sure
        if sector.any():
            pieces, _ = ndimage.label(sector)
            largest = pieces == 1 + np.bincount(pieces.flat)[1:].argmax()
            sector = sa.fit_outline(ndimage.binary_fill_holes(largest)).rasterise(sector.shape)
        return np.repeat(sector[None], n, 0)


@dataclass(frozen=True)
class Recipe:
    """How to train; `paper` is Zahn & Perrin's."""

    network: type[PaperUNet | ModernUNet]
    base_rate: float
    refining_rate: float
    """Learning rates."""
    batch: int
    held_out: float
    """Share of the sequences whose lowest loss picks the weights; without, the last ones are kept."""

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if self.network is PaperUNet:
            return functional.mse_loss(logits.sigmoid(), target)
        dice = DiceLoss(sigmoid=True)(logits, target)
        return functional.binary_cross_entropy_with_logits(logits, target) + dice


RECIPES = {"paper": Recipe(PaperUNet, 1e-5, 1e-5, 8, 0.2), "modern": Recipe(ModernUNet, 3e-3, 2e-3, 16, 0.0)}

AUGMENT = K.AugmentationSequential(
    K.RandomHorizontalFlip(p=0.5),
    K.RandomBrightness((0.7, 1.0), p=0.5),
    K.RandomLinearIllumination((0.05, 0.4), sign=(-1.0, -1.0), p=0.5),
    data_keys=["input", "mask"],
)
"""Good masks are those of bright echoes: darkened ones, and some that fade to a side, stand for the rest."""


def examples(
    model: PaperUNet | ModernUNet,
    sequences: list[Sequence],
    masks: list[np.ndarray],
    per_sequence: int,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random frames of each sequence, which share its mask: (N, C, H, W) uint8 and (N, 1, H, W) bool."""
    device = next(model.parameters()).device
    images, targets = [], []
    for sequence, mask in zip(sequences, masks, strict=True):
        chosen = rng.choice(len(sequence.frames), per_sequence, replace=len(sequence.frames) < per_sequence)
        images.append(model.planes(sequence.frames)[chosen])
        targets.append(np.repeat(mask[None, None], per_sequence, 0))
    return tuple(torch.from_numpy(np.concatenate(part)).to(device) for part in (images, targets))


def train(
    model: PaperUNet | ModernUNet,
    recipe: Recipe,
    rate: float,
    sequences: list[Sequence],
    masks: list[np.ndarray],
    epochs: int,
    per_sequence: int,
    seed: int,
    watch: Callable[[int], None],
) -> None:
    """Train in place; `watch` gets the number of each tenth epoch (each, if fewer than 20) but the last."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    order = rng.permutation(len(sequences))
    n_held_out = round(recipe.held_out * len(order))
    (images, targets), *held_out = [
        examples(model, [sequences[i] for i in part], [masks[i] for i in part], per_sequence, rng)
        for part in (order[n_held_out:], order[:n_held_out])
        if len(part)
    ]
    steps = epochs * -(-len(images) // recipe.batch)
    bar = tqdm(total=steps, desc="steps", leave=False)
    modern = recipe.network is ModernUNet
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    if modern:
        optimizer = torch.optim.AdamW(model.parameters(), lr=rate, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            rate,
            total_steps=max(10, steps),  # fewer make no cycle
            pct_start=0.2,
        )
    lowest, best = float("inf"), None
    for epoch in range(1, epochs + 1):
        model.train()
        for batch in torch.randperm(len(images)).to(images.device).split(recipe.batch):
            image, target = images[batch].float() / 255, targets[batch].float()
            if modern:
                image, target = AUGMENT(image, target)
            optimizer.zero_grad()
            recipe.loss(model(image), target).backward()
            if modern:
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            if modern:
                schedule.step()
            bar.update()
        model.eval()
        for image, target in held_out:
            with torch.no_grad():
                losses = [
                    recipe.loss(model(x.float() / 255), y.float())
                    for x, y in zip(image.split(64), target.split(64), strict=True)
                ]
            if (loss := float(torch.stack(losses).mean())) < lowest:
                lowest, best = loss, {key: value.clone() for key, value in model.state_dict().items()}
        if epoch % (10 if epochs >= 20 else 1) == 0 and epoch < epochs:
            watch(epoch)
    bar.close()
    if best is not None:
        model.load_state_dict(best)


@torch.no_grad()
def predict(model: PaperUNet | ModernUNet, sequence: Sequence, chosen: np.ndarray) -> np.ndarray:
    """(T, H, W) bool, the sectors in T chosen frames."""
    model.eval()
    device = next(model.parameters()).device
    modern = isinstance(model, ModernUNet)  # a sequence has one sector, which fewer frames show
    seen = chosen[::3] if modern else chosen
    images = torch.from_numpy(model.planes(sequence.frames)[seen]).float().div(255)
    mirrored = slice(1, None, 2) if modern else slice(0)
    images[mirrored] = images[mirrored].flip(-1)
    logits = torch.cat([model(part.to(device)).cpu() for part in images.split(64)])[:, 0]
    logits[mirrored] = logits[mirrored].flip(-1)
    return model.sectors(logits.numpy(), len(chosen))


@dataclass(frozen=True)
class Scores:
    accuracy: float
    """Per cent of all pixels that are right."""
    iou: float
    """Per cent."""
    frames: int
    clean_of_text: int
    """Frames that keep no pixel of text, rulers, bars or logos once all outside the sector is black."""
    clean: int
    """Frames that keep no burned-in pixel at all."""
    clean_by_two: int
    """Frames that keep no pixel of text if the sector shrinks by two pixels of the network's, not by one."""
    text_px: int
    """Burned-in pixels kept that stand still over the sequence, at its clip's own size."""
    moving_px: int
    """Those that do not: the ECG's."""


def score(find: Callable[[Sequence, np.ndarray], np.ndarray], sequences: list[Sequence]) -> Scores:
    """Over some frames of sequences that have a drawn sector; `find` gives (T, H, W) bool for T frames.

    Before all outside a found sector is blacked, it shrinks by a pixel of the network's.
    """
    right, ious, kept, kept_by_two = [], [], [], []
    for sequence in sequences:
        chosen = np.linspace(0, len(sequence.frames) - 1, SCORED_FRAMES).astype(int)
        found = find(sequence, chosen)
        right += [float((sector == sequence.drawn).mean()) for sector in found]
        ious += [iou(sector, sequence.drawn) for sector in found]
        if sequence.overlay is not None:
            kept.append(survivors(sequence, chosen, found, 1))
            kept_by_two.append(survivors(sequence, chosen, found, 2))
    none = np.zeros((0, 2), int)
    text, moving = np.concatenate([none, *kept]).T
    text_by_two, _ = np.concatenate([none, *kept_by_two]).T
    return Scores(
        100 * float(np.mean(right)),
        100 * float(np.mean(ious)),
        len(text),
        int((text == 0).sum()),
        int((text + moving == 0).sum()),
        int((text_by_two == 0).sum()),
        int(text.sum()),
        int(moving.sum()),
    )


def survivors(sequence: Sequence, chosen: np.ndarray, found: np.ndarray, shrink: int) -> np.ndarray:
    """Burned-in pixels, still and moving, that frames keep in sectors smaller by some pixels: (T, 2)."""
    shape = len(sequence.frames), *sequence.clip_size
    overlay = np.unpackbits(sequence.overlay, count=np.prod(shape)).reshape(shape).astype(bool)
    still = overlay.all(0)
    kept = []
    for t, sector in zip(chosen, found, strict=True):
        shrunk = cv2.erode(sector.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=shrink)
        inside = cv2.resize(shrunk, shape[:0:-1], interpolation=cv2.INTER_NEAREST_EXACT) > 0
        kept.append([(inside & still).sum(), (inside & overlay[t] & ~still).sum()])
    return np.array(kept)
