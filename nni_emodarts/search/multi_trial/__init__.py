"""Strategies that train each candidate by itself, as a trial of NNI."""

from nni_emodarts.search.multi_trial.search import search_by_trials

__all__ = ["search_by_trials"]
