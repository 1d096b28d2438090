"""How a search has decided, in words."""

from nni_emodarts.metrics.decision import describe_probes


def test_levels_that_probes_have_chosen_are_told_best_first() -> None:
    reached = {"0": 0.5, "3": 0.7, "2+3+4": 0.75, "5": 0.6, "6": 0.55}
    (line,) = describe_probes({"val_uar": 0.6, "probed": {"level_voice": reached}})
    assert line == "level_voice: 2+3+4, with the best UAR of linear probes, 0.750 (then 3 0.700, 5 0.600, 6 0.550)"
    assert describe_probes({"val_uar": 0.6}) == []
