"""How decided a search is, as its metrics.json says it, and in words."""

from nni_emodarts.runtime.plain_data import JsonMapping

ENTROPY = "entropy"
"""Key: mean entropy of the choices at the end, each as a share of its largest: 0 is decided, 1 is not at all."""
DISCRETE = "discrete_val_uar"
"""Key: validation UAR of the supernet once all weights but those of what is derived are zero."""
CHANCE = "chance_p"
"""Key: p of the hypothesis that its answers are then no better than chance, on validation speakers and on the
half of the training part that its weights did not learn from: the larger of both."""
DECIDED = "decided"
"""Key: whether both are below their bounds."""

ENTROPY_BOUND = 0.3
CHANCE_BOUND = 1e-3


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
    before, after = float(metrics["val_uar"]), float(metrics[DISCRETE])
    told = f"entropy {metrics[ENTROPY]:.2f} of 1; validation UAR {before:.3f}, without what was not chosen {after:.3f}"
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
        reasons.append(
            f"what it names has learnt nothing that holds for other speakers (validation UAR {metrics[DISCRETE]:.3f}; "
            f"p of chance {metrics[CHANCE]:.2g}, more than {CHANCE_BOUND:g})"
        )
    return f"the search is undecided: {'; '.join(reasons)}"
