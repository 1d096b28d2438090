"""How decided a search is, as its metrics.json says it, and in words."""

from nni_emodarts.metrics.headline import headline_of
from nni_emodarts.runtime.plain_data import JsonMapping

ENTROPY = "entropy"
"""Key: mean entropy of the choices at the end, each as a share of its largest: 0 is decided, 1 is not at all."""
CHANCE = "chance_p"
"""Key: p of the hypothesis that its answers are then no better than chance, on validation speakers and on the
half of the training part that its weights did not learn from: the larger of both."""
DECIDED = "decided"
"""Key: whether both are below their bounds."""

_SHOWN = 3
"""Levels behind the one that is taken, of which probes are told."""
ENTROPY_BOUND = 0.3
CHANCE_BOUND = 1e-3


def discrete(figure: str) -> str:
    """Key: a validation figure of the supernet once all weights but those of what is derived are zero."""
    return f"discrete_{figure}"


def is_decided(entropy: float, chance_p: float) -> bool:
    """Whether a search has decided, and on something: entropy alone could be had by cooling."""
    return entropy <= ENTROPY_BOUND and chance_p <= CHANCE_BOUND


def describe_decision(metrics: JsonMapping) -> str | None:
    """How decided a search is, in words; None of a strategy or a run that does not say.

    Args:
        metrics: of its metrics.json.
    """
    if ENTROPY not in metrics:
        return None
    chosen = headline_of(metrics)
    before, after = float(metrics[chosen.val]), float(metrics[discrete(chosen.val)])
    figure = f"validation {chosen.name} {before:.3f}, without what was not chosen {after:.3f}"
    told = f"entropy {metrics[ENTROPY]:.2f} of 1; {figure}"
    return f"{'decided' if metrics[DECIDED] else 'undecided'}: {told}"


def warn_undecided(metrics: JsonMapping) -> str | None:
    """What a person should know of a search that has not decided; None of others."""
    if metrics.get(DECIDED, True):
        return None
    reasons = []
    if metrics[ENTROPY] > ENTROPY_BOUND:
        reasons.append(
            f"its choices are still mixed (entropy {metrics[ENTROPY]:.2f}, more than {ENTROPY_BOUND}), so that what it "
            "names is little more than a draw"
        )
    if metrics[CHANCE] > CHANCE_BOUND:
        chosen = headline_of(metrics)
        reasons.append(
            f"what it names has learnt nothing that holds for other speakers (validation {chosen.name} "
            f"{metrics[discrete(chosen.val)]:.3f}; "
            f"p of chance {metrics[CHANCE]:.2g}, more than {CHANCE_BOUND:g})"
        )
    return f"the search is undecided: {'; '.join(reasons)}"


def describe_probes(metrics: JsonMapping) -> list[str]:
    """In words, which levels probes have chosen before a search; nothing where they were searched.

    Args:
        metrics: of its metrics.json.
    """
    name = headline_of(metrics).name
    lines = []
    for label, reached in metrics.get("probed", {}).items():
        taken, *others = sorted(reached, key=lambda each: -reached[each])
        further = ", ".join(f"{each} {reached[each]:.3f}" for each in others[:_SHOWN])
        behind = f" (then {further})" if others else ""
        lines.append(f"{label}: {taken}, with the best {name} of linear probes, {reached[taken]:.3f}{behind}")
    return lines
