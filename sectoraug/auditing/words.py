"""The report in words: what was found, what to do next, what it cannot know."""

from __future__ import annotations

import numpy as np

from sectoraug.auditing.findings import Findings
from sectoraug.auditing.told import Score

TITLES = {
    "background": "The background alone",
    "outline": "The sector's outline alone",
    "facts": "What any image has (size, brightness, colour) alone",
    "sector": "The inside of the sector",
}


def verdict(report: Findings) -> list[str]:
    """Sentences, the most important first."""
    said = [told(report, part) for part in ("background", "outline", "facts")]
    said.sort(key=lambda each: each.startswith("No sign"))
    said += _tied(report) + _model(report) + _twins(report)
    sector = report.scores["sector"]
    said.append(
        f"For comparison: {TITLES['sector'].lower()} tells the label in {_cases(sector)}, by the same simple "
        "classifier."
    )
    return said


def told(report: Findings, part: str) -> str:
    """One sentence on one part."""
    score = report.scores[part]
    if not report.tells[part]:
        return (
            f"No sign that {_lower(TITLES[part])} tells the label: right in {_cases(score)}; chance is "
            f"{100 * score.chance:.3g} (p {score.p_value:.2g})."
        )
    sentence = (
        f"{TITLES[part]} tells the label in {_cases(score)}; chance is {100 * score.chance:.3g} "
        f"(p {score.p_value:.2g})."
    )
    if part == "background" and report.tells["outline"]:
        sentence += " Some of that can be the outline's, which hides part of the background."
    return sentence


def _cases(score: Score) -> str:
    low, high = (100 * end for end in score.interval)
    return f"{100 * score.accuracy:.0f} of 100 cases ({low:.0f} to {high:.0f})"


def _tied(report: Findings) -> list[str]:
    styles = report.styles
    if styles.p_value >= 0.05:
        return []
    label, style = styles.worst
    share = styles.table[label, style] / max(1, styles.table[label].sum())
    others = np.delete(styles.table, label, 0)
    other_share = others[:, style].sum() / max(1, others.sum())
    return [
        f"Overlay styles go with labels (Cramer's V {styles.cramers_v:.2f}, p {styles.p_value:.2g}), most of "
        f"all {report.labels[label]} with style {style + 1}: {100 * share:.0f}% of its images, of the "
        f"others' {100 * other_share:.0f}%."
    ]


def _model(report: Findings) -> list[str]:
    model = report.model
    if model is None or "any other image" not in model.flips:
        return []
    flips = model.flips["any other image"]
    low, high = (100 * end for end in flips.interval)
    said = [
        f"The model changes {100 * flips.share:.0f} of 100 answers ({low:.0f} to {high:.0f}) when nothing "
        "but the background is that of another image."
    ]
    if model.mirror is not None:
        said.append(
            "Where sector and background come from images that it answers differently, it follows the sector "
            f"in {100 * model.mirror.sector:.0f} of 100 cases and the background in "
            f"{100 * model.mirror.background:.0f}."
        )
    return said


def _twins(report: Findings) -> list[str]:
    twins, said = report.twins, []
    if twins.across_splits:
        said.append(f"{len(twins.across_splits)} pairs of nearly the same image lie in different splits.")
    if twins.across_labels:
        said.append(f"{len(twins.across_labels)} pairs of nearly the same image have different labels.")
    if twins.pairs:
        said.append(f"{len(twins.pairs)} pairs of nearly the same image are of different groups.")
    if twins.shared_letters:
        said.append(
            f"{len(twins.shared_letters)} pairs of groups share writing that no third group has, as images "
            "of one patient or of a rare scanner do."
        )
    return said


def advice(report: Findings) -> list[str]:
    """What to do next, and what is known of how much it helps."""
    said = []
    tells = report.tells
    if report.twins.across_splits or report.twins.pairs or report.twins.shared_letters:
        said.append(
            "look at the pairs listed below, and keep what belongs together in one group and one split; "
            "until then test scores are too good."
        )
    if tells["background"]:
        said.append(
            "train with BackMix, with sectors for all images if you can (f=1; for some of them, wBackMix), "
            "and compare both models by this audit: answers that follow the background become fewer; whether "
            "accuracy at another hospital rises is unknown until it is measured there."
        )
    if tells["outline"]:
        said.append(
            "the outline stays as it is under BackMix: add match_sector=True, or ReshapeSector before "
            "BackMix (never without it); how much that helps here is unknown."
        )
    if tells["facts"]:
        said.append(
            "resize all images alike and augment brightness and contrast; what a label has by size or colour "
            "alone may be a scanner's or a site's: split by it, and test on one left out."
        )
    if tells["background"] or tells["outline"]:
        said.append("plant_shortcut shows, on these images, what a training of yours makes of a known tie.")
    if not any(tells.values()):
        said.append("nothing has to be mended by what was found; that is no proof that there is no shortcut.")
    return said


def limits(report: Findings) -> list[str]:
    """What this audit cannot know."""
    said = (
        []
        if report.groups_given
        else [
            "No groups were given: 20 neighbouring images were taken for one. If patients or sites are "
            "known, give them: images of one patient on both sides of a split make every score too good."
        ]
    )
    return [
        *said,
        "A simple classifier on small pictures finds less than a network: a score at chance is no proof.",
        "What tells the label need not be a shortcut: a larger sector may be a deeper organ. Only who knows "
        "the images can say.",
        "Inside the sector nothing was looked for: calipers, text and annotations there can tell the label, "
        "too, and are part of the score of the sector.",
    ]


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
