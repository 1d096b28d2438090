"""NNI's Hyperband, mended, for experiments that name it: `className: nni_emodarts.nni_bridge.hyperband.Hyperband`."""

from nni.algorithms.hpo.hyperband_advisor import Hyperband as NniHyperband


class Hyperband(NniHyperband):  # type: ignore[misc]
    """Hyperband (Li et al. 2018): many trials with few epochs, the best of them again with more, and so on.

    NNI 3.0's own dies with a TypeError at the first result: it compares its parameter ids, which are texts, with the
    number of the last parameter of a resumed experiment.
    """

    def is_created_in_previous_exp(self, param_id: int | str | None) -> bool:
        """Whether a parameter comes from an experiment that was resumed; NNI calls this."""
        return isinstance(param_id, int) and bool(super().is_created_in_previous_exp(param_id))
