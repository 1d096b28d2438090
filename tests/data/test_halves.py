"""The training part divided for a search."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_manifests import build, who

from nni_emodarts.data.halves import halves
from nni_emodarts.data.manifest import Manifest
from nni_emodarts.errors import ProtocolError


def can_share_no_speaker(manifest: Manifest, train: np.ndarray) -> bool:
    """Whether any division of the speakers leaves every class in both halves; all of them are tried."""
    heard = {name: set() for name in who(manifest, train)}
    for name, label in zip(who(manifest, train), manifest.labels[train], strict=True):
        heard[name].add(label)
    classes = set().union(*heard.values())
    for picks in itertools.product([True, False], repeat=len(heard)):
        sides = [
            set().union(*(labels for labels, pick in zip(heard.values(), picks, strict=True) if pick is side))
            for side in (True, False)
        ]
        if sides == [classes, classes]:
            return True
    return False


UTTERANCES = st.fixed_dictionaries(
    {"speaker": st.sampled_from(["a", "b", "c", "d", "e", "f"]), "emotion": st.sampled_from(["joy", "anger", "awe"])}
)


@settings(deadline=None)
@given(st.lists(UTTERANCES, min_size=4, max_size=30), st.integers(0, 2**31))
def test_halves_share_no_speaker_wherever_that_is_possible(rows, seed):
    manifest = build(rows)
    train = np.arange(0 if len(rows) % 2 else 1, len(rows), dtype=np.int64)
    counts = np.bincount(manifest.labels[train])
    if 1 in counts:
        with pytest.raises(ProtocolError, match="has a single utterance"):
            halves(manifest, train, seed)
        return
    weights, alphas = halves(manifest, train, seed)
    assert sorted([*weights, *alphas]) == list(train)
    assert (np.diff(weights) > 0).all()
    assert (np.diff(alphas) > 0).all()
    for half in (weights, alphas):
        assert set(manifest.labels[half]) == set(manifest.labels[train])
    shares_none = not set(who(manifest, weights)) & set(who(manifest, alphas))
    assert shares_none or not can_share_no_speaker(manifest, train)
    if not shares_none:
        assert abs(len(weights) - len(alphas)) <= 1
    again = halves(manifest, train, seed)
    assert [half.tolist() for half in again] == [weights.tolist(), alphas.tolist()]


def test_the_only_division_of_the_speakers_is_found_however_unbalanced():
    # b alone has every class; no half of the utterances lies near this division.
    heard = ["a"] * 10 + ["b"] * 9 + ["c"] * 1000
    emotions = ["joy"] * 10 + ["joy"] * 4 + ["anger"] * 5 + ["anger"] * 1000
    manifest = build([{"speaker": name, "emotion": e} for name, e in zip(heard, emotions, strict=True)])
    assert {len(half) for half in halves(manifest, np.arange(len(manifest)), 1)} == {9, 1010}


def test_halves_are_balanced_and_follow_the_seed():
    rng = np.random.default_rng(0)
    rows = [{"speaker": f"s{n}", "emotion": e} for n in range(20) for e in ("joy", "anger") * int(rng.integers(2, 9))]
    manifest = build(rows)
    everything = np.arange(len(manifest))
    divisions = [halves(manifest, everything, seed) for seed in range(5)]
    assert all(abs(len(weights) - len(alphas)) <= 2 for weights, alphas in divisions)
    assert len({tuple(weights) for weights, _ in divisions}) == 5
