"""The audit from images to report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sectoraug import checks
from sectoraug.auditing.asked import attribute, check_groups, groups_of, named, splits_of
from sectoraug.auditing.attributes import attributes_of
from sectoraug.auditing.looks import SIDE, Looks, look_at
from sectoraug.auditing.places import places_of
from sectoraug.auditing.properties import same_length
from sectoraug.auditing.report import AuditReport
from sectoraug.auditing.styles import styles_of
from sectoraug.auditing.swaps import audit_model
from sectoraug.auditing.told import Ints, deal, score
from sectoraug.auditing.twins import twins_of
from sectoraug.evidence.statistics import holm

FACTS = ("height_px", "width_px", "aspect", "brightness", "contrast", "colour_percent")
_ATTRIBUTES = (
    "sector_percent",
    "opening_deg",
    "brightness",
    "text_percent",
    "background_mean",
    "colour_percent",
)
_SUSPECTS = ("background", "outline", "facts")


def audit(
    images: Sequence[Any],
    sectors: Sequence[Any],
    labels: Any,
    groups: Any = None,
    model: Any = None,
    *,
    splits: Any = None,
    attributes: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    names: Sequence[str] | None = None,
    preprocess: Any = None,
    model_size: tuple[int, int] | None = None,
    layer: Any = None,
    n_images: int = 200,
    n_donors: int = 16,
    n_permutations: int = 199,
    seed: int = 0,
    progress: bool = True,
) -> AuditReport:
    """Say whether backgrounds, outlines or facts tell the label, and whether a model reads the background.

    *Data.* A simple classifier (ridge regression on an RBF kernel's features of small pictures) is asked for
    the label from the background only, the outline only, image-level facts only and the sector only, each
    tested on groups that it did not learn from, against labels dealt anew. *Model.* Its answers to the same
    sectors on other images' backgrounds.

    Args:
        images: N of (H, W), (H, W, 1) or (H, W, 3), uint8, or float32 in 0..1; of any sizes. An array, a
            list, or anything with a length that gives an image by index: each is asked for once, or twice
            with a model.
        sectors: N of (H, W), bool or uint8 of 0/1 or 0/255, nonzero inside.
        labels: (N,) whole numbers or names, two different ones or more.
        groups: (N,) patients, or whatever must not be on both sides of a split; names or whole numbers. By
            default 20 images in a row are one.
        model: a module, or a function, from a batch to logits (B, n_labels), labels in sorted order; for two
            labels (B,) or (B, 1) will do.
        splits: (N,) names, such as train and test: leaks between them are looked for.
        attributes: name -> (N,) numbers or names of what else is known, such as scanner or site.
        facts: the same of what a file gives away before it is opened, such as its format and bytes:
            attributes that count among the image-level facts, too.
        names: (N,) of the images, for lists in the report; by default their indices.
        preprocess: makes of (B, C, H, W) uint8 what the model takes; by default float32 in 0..1.
        model_size: (H, W) that the model takes; by default the images' own.
        layer: where GradCAM looks, a module of the model or its dotted name; None: no %E and %F.
        n_images: how many images the model is asked about, as many of each label as there are.
        n_donors: backgrounds an image and kind.
        n_permutations: of labels; 1 / (n_permutations + 1) is the least p.
        seed: everything repeats under one seed.
        progress: show bars (needs tqdm).

    Returns:
        An AuditReport: `str()` says it in words, `to_html` writes the page, `to_dict` gives all numbers.

    Raises:
        TypeError, ValueError: an image, sector or label is not as above, a label is in one group only, a
            group is in two splits, or the model does not take the images.
        ImportError: scikit-learn or jinja2 is missing (extra `audit`).

    Examples:
        >>> import sectoraug as sa
        >>> data = sa.phantom.make_dataset(80, shortcut=0.95, size=(64, 64))
        >>> report = sa.audit(data.images, data.sectors, data.labels, data.patients, progress=False)
        >>> report.tells["background"], report.tells["outline"]
        (True, False)
    """
    _needs_sklearn()
    n_permutations, seed = checks.whole(n_permutations, 1, 10**6, "n_permutations"), checks.seed(seed)
    n = same_length(images, sectors)
    label_names, which = named(labels, n, "labels")
    group_names, group_of = groups_of(groups, n)
    check_groups(label_names, which, group_names, group_of)
    split_of = None if splits is None else splits_of(splits, group_names, group_of)
    own_facts = {name: attribute(values, n, name) for name, values in (facts or {}).items()}
    others = own_facts | {name: attribute(values, n, name) for name, values in (attributes or {}).items()}
    dealt = deal(which, group_of, n_permutations, seed)
    looks = look_at(images, sectors, progress)
    scores = _scores(looks, own_facts, dealt, group_of, seed)
    falls = holm([scores[part].p_value for part in _SUSPECTS])
    thumbnails = looks.background[:, : SIDE * SIDE]
    styles = styles_of(thumbnails, dealt, seed)
    known = {**others, "overlay style": styles.style_of, **_measured(looks)}
    asked: dict[str, Any] = {"preprocess": preprocess, "size": model_size, "layer": layer}
    asked |= {"n_images": n_images, "n_donors": n_donors, "seed": seed, "progress": progress}
    return AuditReport(
        labels=label_names,
        counts=np.bincount(which).tolist(),
        groups_of_label=[len(np.unique(group_of[which == k])) for k in range(len(label_names))],
        n_groups=len(group_names),
        groups_given=groups is not None,
        scores=scores,
        tells=dict(zip(_SUSPECTS, falls, strict=True)),
        styles=styles,
        attributes=attributes_of(known, looks.whole, dealt, group_of, seed),
        places=places_of(thumbnails, dealt),
        sector_share=looks.outline[:, : SIDE * SIDE].mean(0, dtype=np.float64).reshape(SIDE, SIDE),
        twins=twins_of(looks, which, group_of, split_of),
        model=None
        if model is None
        else audit_model(model, images, sectors, which, group_of, styles.style_of, **asked),
        names=[str(name) for name in (range(n) if names is None else names)],
        group_names=group_names,
        seed=seed,
        embeddings={"background": looks.background, "outline": looks.outline, "sector": looks.sector},
    )


def _measured(looks: Looks) -> dict[str, NDArray[Any]]:
    """The attributes that every data set has."""
    sizes = [f"{height:.0f} x {width:.0f}" for height, width in _columns(looks, ("height_px", "width_px"))]
    return {"image size": np.array(sizes), **{name: np.array(looks.properties[name]) for name in _ATTRIBUTES}}


def _scores(
    looks: Looks, facts: Mapping[str, NDArray[Any]], dealt: Ints, groups: Ints, seed: int
) -> dict[str, Any]:
    shown = {
        "background": looks.background,
        "outline": looks.outline,
        "facts": np.hstack([_columns(looks, FACTS), *map(_numbers, facts.values())]),
        "sector": looks.sector,
    }
    return {part: score(each, dealt, groups, seed) for part, each in shown.items()}


def _numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    """(N, D): numbers as they are, names as one column each."""
    if values.dtype.kind in "iuf":
        return values[:, None].astype(np.float64)
    one_hot: NDArray[np.float64] = (values[:, None] == np.unique(values)).astype(np.float64)
    return one_hot


def _columns(looks: Looks, keys: Sequence[str]) -> NDArray[np.float64]:
    return np.array([looks.properties[key] for key in keys]).T


def _needs_sklearn() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        raise ImportError('audit needs scikit-learn: pip install "sectoraug[audit]".') from error
