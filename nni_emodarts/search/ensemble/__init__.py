"""Several networks that a search has tried, answering together: which, and what one network learns from them."""

from nni_emodarts.search.ensemble.run import Ensembled, run_ensemble

__all__ = ["Ensembled", "run_ensemble"]
