"""The report in words: what was found, what to do next, what it cannot know."""

from __future__ import annotations

import numpy as np

from sectoraug.auditing.findings import Findings
from sectoraug.auditing.model_answers import KINDS
from sectoraug.auditing.told import Score

LEVEL = 0.05
TITLES = {
    "background": "The background alone",
    "outline": "The sector's outline alone",
    "facts": "What any image has (size, brightness, colour, its file) alone",
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
    against = f"chance is {100 * score.chance:.3g} (p {score.p_value:.2g})"
    if not report.tells[part]:
        below = ", and less than chance is no sign either" if score.interval[1] < score.chance else ""
        return f"No sign that {_lower(TITLES[part])} tells the label: {_cases(score)}; {against}{below}."
    sentence = f"{TITLES[part]} tells the label in {_cases(score)}; {against}."
    if part == "background" and report.tells["outline"]:
        whole = report.scores["outline"].accuracy >= score.accuracy and report.styles.p_value >= LEVEL
        sentence += f" {'All' if whole else 'Some'} of that can be the outline's, which hides part of it."
    return sentence


def reads_background(report: Findings) -> bool:
    """Whether more than 5 of 100 answers change with the background, by the interval's lower end."""
    flips = report.model.flips.get(KINDS[0]) if report.model is not None else None
    return flips is not None and flips.interval[0] > LEVEL


def _cases(score: Score) -> str:
    low, high = (100 * end for end in score.interval)
    return f"{100 * score.accuracy:.0f} of 100 cases (95% interval {low:.0f} to {high:.0f})"


def _tied(report: Findings) -> list[str]:
    styles = report.styles
    if styles.p_value >= LEVEL:
        return []
    label, style = styles.worst
    share = styles.table[label, style] / max(1, styles.table[label].sum())
    others = np.delete(styles.table, label, 0)
    other_share = others[:, style].sum() / max(1, others.sum())
    return [
        f"Overlay styles go with labels (Cramer's V {styles.cramers_v:.2f}, p {styles.p_value:.2g}), most of "
        f"all style {style + 1}: {100 * share:.0f}% of the images of \u201c{report.labels[label]}\u201d have "
        f"it, and {100 * other_share:.0f}% of all others."
    ]


def _model(report: Findings) -> list[str]:
    model = report.model
    if model is None or KINDS[0] not in model.flips:
        return []
    if model.mirror is None:
        return ["The model gives every image the same answer; swapped backgrounds say nothing of it."]
    flips = model.flips[KINDS[0]]
    low, high = (100 * end for end in flips.interval)
    return [
        f"Swapping nothing but the background changes {100 * flips.share:.0f} of 100 answers of the model "
        f"(95% interval {low:.0f} to {high:.0f}); with their own backgrounds it is right in "
        f"{100 * model.accuracy:.0f} of 100 cases.",
        "Given the sector of one image and the background of another that it answers differently, it follows "
        f"the sector in {100 * model.mirror.sector:.0f} of 100 cases and the background in "
        f"{100 * model.mirror.background:.0f}.",
    ]


def _twins(report: Findings) -> list[str]:
    twins = report.twins
    alike = (
        (twins.across_splits, "lie in different splits"),
        (twins.across_labels, "have different labels"),
        (twins.pairs, "are of different groups"),
    )
    said = [f"{len(each)} pairs of nearly the same image {what}." for each, what in alike if each]
    if twins.shared_letters:
        said.append(
            f"{len(twins.shared_letters)} pairs of groups share writing that no third group has: one patient "
            "in both, or a rare scanner."
        )
    return said


def advice(report: Findings) -> list[str]:
    """What to do next, and what is known of how much it helps."""
    said, tells = [], report.tells
    if _twins(report):
        said.append(
            "look at the pairs listed below, and keep what belongs together in one group and one split; test "
            "scores may be too good until then."
        )
    if tells["background"] or reads_background(report):
        said.append(
            "train with BackMix, with sectors for all images if you can (for some of them, wBackMix), and "
            "compare both models by this audit: expect fewer answers that follow the background; whether "
            "accuracy at another hospital rises is unknown until it is measured there."
        )
    if tells["outline"]:
        said.append(
            "the outline stays as it is under BackMix: add match_sector=True, or ReshapeSector before "
            "BackMix (never ReshapeSector alone); how much that helps here is unknown."
        )
    if tells["facts"]:
        said.append(
            "resize all images alike and augment brightness and contrast; size or colour may be a scanner's "
            "or a site's: hold one of them out as a test."
        )
    if tells["background"] or tells["outline"]:
        said.append("to see what your training makes of a known tie, plant one with plant_shortcut.")
    if not said:
        said.append("this audit found nothing to mend; shortcuts may exist all the same.")
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
        "A simple classifier on small pictures finds less than a network: a score at chance does not prove "
        "that nothing is there.",
        "What tells the label need not be a shortcut: a larger sector may be a deeper organ. Only who knows "
        "the images can say.",
        "Inside the sector nothing was looked for: calipers, text and annotations there can tell the label, "
        "too, and are part of the score of the sector.",
    ]


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
