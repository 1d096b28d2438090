"""How far the annotators of a manifest agree, in words."""

import numpy as np

from nni_emodarts.data.manifest import Manifest
from nni_emodarts.metrics.agreement import krippendorff_alpha, majority_share


def describe_votes(manifest: Manifest) -> dict[str, str]:
    """How far annotators agree; nothing where there are no votes."""
    if manifest.votes is None:
        return {}
    votes = manifest.votes.to_numpy(np.float64)
    votes = votes[votes.sum(axis=1) > 0]
    if not len(votes):
        return {"votes": "none"}
    alpha, each = krippendorff_alpha(votes), votes.sum(axis=1)
    alike = np.count_nonzero((votes > 0).sum(axis=1) == 1)
    return {
        "votes": f"{each.sum():g} in {len(votes)} utterances, {each.min():g} to {each.max():g}, mean {each.mean():.2f}",
        "agreement": f"share of the most voted class {majority_share(votes):.3f}; Krippendorff's alpha "
        f"{'-' if alpha is None else f'{alpha:.3f}'}; {alike} agree as one, {np.count_nonzero(manifest.labels < 0)} "
        "have no majority",
    }
