"""After MONAI's TEST_NDARRAYS, its tests of dictionary transforms and Compose, of datasets and determinism,
and test_module_list.py."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import monai.transforms as mt
import numpy as np
import torch
from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor
from monai.utils import set_determinism
from peer_row import IMAGES, SECTORS, Row, images_of, is_swapped, pool_of

from sectoraug.plugins import monai as plug
from sectoraug.plugins.monai import BackMixd

KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": np.array,
    "tensor": torch.tensor,
    "MetaTensor": lambda values: MetaTensor(torch.tensor(values), meta={"spacing": 0.3}),
}


def example(kind: str = "array", k: int = 0) -> dict[str, Any]:
    return {"image": KINDS[kind](IMAGES[k][None]), "sector": KINDS[kind](SECTORS[k][None])}


def mix(**options: Any) -> BackMixd:
    return BackMixd(options.pop("keys", "image"), pool_of(images_of()), **options).set_random_state(0)


def every_kind() -> None:
    for kind in KINDS:
        for other in KINDS:
            given = {"image": example(kind)["image"], "sector": example(other)["sector"]}
            out = mix(match_sector=True)(given)
            for key in given:
                assert type(out[key]) is type(given[key]) and out[key].dtype == given[key].dtype, (
                    kind,
                    other,
                    key,
                )
            assert out["image"].shape == given["image"].shape
            out = mix()(given)
            is_swapped(np.asarray(out["image"])[0], IMAGES[0], SECTORS[0])
            assert kind != "MetaTensor" or out["image"].meta["spacing"] == 0.3


def floats() -> None:
    op = BackMixd("image", pool_of(images_of(np.float32))).set_random_state(0)
    for kind in KINDS.values():
        image = images_of(np.float32)[0]
        out = op({"image": kind(image[None]), "sector": kind(SECTORS[0][None].astype(np.float32))})
        is_swapped(np.asarray(out["image"])[0], image, SECTORS[0])


def other_numbers(dtype: torch.dtype) -> Callable[[], None]:
    def ask() -> None:
        given = example("tensor")
        mix()({**given, "image": given["image"].to(dtype)})

    return ask


def dicts_stay_as_they_are() -> None:
    given = example() | {"name": "a"}
    image, sector = given["image"].copy(), given["sector"].copy()
    given["image"].flags.writeable = given["sector"].flags.writeable = False
    out = mix(match_sector=True)(given)
    assert set(given) == {"image", "sector", "name"} and out["name"] == "a"
    assert np.array_equal(given["image"], image) and np.array_equal(given["sector"], sector)


def missing_keys_allowed() -> None:
    out = mix(keys=["image", "second"], allow_missing_keys=True)(example())
    assert "second" not in out and out["backmixed"]


def missing_keys() -> None:
    mix(keys=["image", "second"])(example())


def several_images() -> None:
    given = example() | {"second": IMAGES[1][None]}
    out = mix(keys=["image", "second"])(given)
    outside = SECTORS[0] == 0
    assert np.array_equal(out["image"][0][outside], out["second"][0][outside])
    is_swapped(out["second"][0], IMAGES[1], SECTORS[0])


def composes() -> None:
    for kind in (mt.OneOf, mt.RandomOrder, mt.SomeOf, mt.Compose):
        for lazy in (False, True):
            steps = [mix(), mix()]
            train = kind(steps, num_transforms=2, lazy=lazy) if kind is mt.SomeOf else kind(steps, lazy=lazy)
            is_swapped(train.set_random_state(1)(example())["image"][0], IMAGES[0], SECTORS[0])


def after_lazy_geometry() -> None:
    """Pending flips are made before the swap, as for every transform that is not lazy, and give float32."""
    image = images_of(np.float32)[0]
    outs = []
    for lazy in (False, True):
        flip = mt.Flipd(["image", "sector"], spatial_axis=1)
        swap = BackMixd("image", pool_of(images_of(np.float32)))
        train = mt.Compose([flip, swap], lazy=lazy).set_random_state(2)
        outs.append(
            train({"image": KINDS["MetaTensor"](image[None]), "sector": example("MetaTensor")["sector"]})
        )
    assert torch.equal(outs[0]["image"], outs[1]["image"])
    is_swapped(np.asarray(outs[1]["image"])[0], image[:, ::-1], SECTORS[0][:, ::-1])


def fresh_in_a_cache() -> None:
    """CacheDataset keeps what comes before the first random transform: every epoch draws anew."""
    train = mt.Compose([mt.Identityd("image"), mix()]).set_random_state(3)
    data = CacheDataset([example(k=k) for k in range(4)], train, num_workers=0, progress=False)
    epochs = [[data[k]["image"].tobytes() for k in range(4)] for _ in range(6)]
    assert len({tuple(epoch) for epoch in epochs}) > 3


def loaders_repeat() -> None:
    runs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        data = Dataset([example(k=k) for k in range(6)], mix(prob=0.5))
        runs.append([batch["image"].tobytes() for batch in _arrays(DataLoader(data, batch_size=2))])
    assert runs[0] == runs[1]


def _arrays(loader: Any) -> list[dict[str, np.ndarray]]:
    return [{key: np.asarray(value) for key, value in batch.items()} for batch in loader]


def set_determinism_repeats() -> None:
    runs = []
    try:
        for seed in (1, 1, 2):
            set_determinism(seed)
            op = mt.Compose([BackMixd("image", pool_of(images_of()), prob=0.5)])
            runs.append([op(example())["image"].tobytes() for _ in range(12)])
    finally:
        set_determinism(None)
    assert runs[0] == runs[1] != runs[2]


def pickles() -> None:
    op = mix(prob=0.5)
    again = pickle.loads(pickle.dumps(op))
    for each in (op, again):
        each.set_random_state(9)
    outs = [[each(example())["image"].tobytes() for _ in range(8)] for each in (op, again)]
    assert outs[0] == outs[1]


def names() -> None:
    """Each dictionary transform goes by three names, and has a docstring."""
    assert plug.BackMixD is plug.BackMixDict is BackMixd
    assert BackMixd.__doc__ and issubclass(BackMixd, (mt.MapTransform, mt.RandomizableTransform))


def undone() -> None:
    train = mt.Compose([mix()])
    train.inverse(train(example("MetaTensor")))


def inverse_of_the_rest() -> None:
    """Compose's inverse undoes what can be undone, and passes the swap by."""
    train = mt.Compose([mt.Flipd(["image", "sector"], spatial_axis=1), mix()])
    back = train.inverse(train(example("MetaTensor")))
    assert np.array_equal(np.asarray(back["sector"])[0], SECTORS[0])
    is_swapped(np.asarray(back["image"])[0], IMAGES[0], SECTORS[0])


ROWS = [
    Row("MONAI", "TEST_NDARRAYS_ALL", "arrays, tensors and MetaTensors, mixed", every_kind),
    Row("MONAI", "TEST_NDARRAYS_ALL", "float32 images and sectors", floats),
    *(
        Row("MONAI", "TEST_NDARRAYS_ALL", f"{str(t)[6:]} images", other_numbers(t), "but the image is")
        for t in (torch.float64, torch.float16, torch.int64)
    ),
    Row("MONAI", "tests of MapTransform", "dicts and arrays are only read", dicts_stay_as_they_are),
    Row("MONAI", "tests of allow_missing_keys", "`allow_missing_keys`", missing_keys_allowed),
    Row("MONAI", "tests of allow_missing_keys", "a key that is missing", missing_keys, "second"),
    Row("MONAI", "tests of RandomizableTransform", "several images share sector and donor", several_images),
    Row("MONAI", "test_compose.py, test_one_of.py, test_some_of.py", "in each kind of Compose", composes),
    Row("MONAI", "test_compose.py, lazy", "after lazy geometry", after_lazy_geometry),
    Row("MONAI", "test_cachedataset.py", "`CacheDataset` draws anew each epoch", fresh_in_a_cache),
    Row("MONAI", "test_dataloader.py", "MONAI's own DataLoader repeats", loaders_repeat),
    Row("MONAI", "test_set_determinism.py", "`set_determinism` repeats", set_determinism_repeats),
    Row("MONAI", "test_module_list.py", "its three names", names),
    Row("MONAI", "test_inverse.py", "`inverse` of what stands before it", inverse_of_the_rest),
    Row("MONAI", "test_inverse.py", "`inverse` passes the swap by", undone),
    Row("MONAI", "tests of ThreadBuffer and pickles", "pickles", pickles),
]
