"""Dimensions of the synthetic corpus: they follow from how it speaks, not from the emotion's name."""

import numpy as np
import pandas as pd
import pytest

from nni_emodarts.data.corpora.manners import EMOTIONS, RATED, SCALE
from nni_emodarts.data.corpora.synthesis import manner_of


@pytest.fixture(scope="module")
def ratings() -> pd.DataFrame:
    rows = []
    for speaker in range(8):
        for emotion in EMOTIONS:
            for utterance in range(8):
                manner = manner_of(speaker, emotion, utterance)
                rows.append((emotion, manner.pitch, *(each.rate(manner) for each in RATED.values())))
    return pd.DataFrame(rows, columns=["emotion", "pitch", *RATED])


def test_they_lie_on_the_scale_and_differ_within_an_emotion(ratings):
    for name in RATED:
        assert ratings[name].between(*SCALE).all()
        assert (ratings.groupby("emotion")[name].std() > 0.15).all()


def test_emotions_lie_where_the_literature_has_them(ratings):
    means = ratings.groupby("emotion")[list(RATED)].mean()
    assert means.loc[["anger", "happiness"], "arousal"].min() > means.loc["neutral", "arousal"] + 1
    assert means.loc["sadness", "arousal"] < means.loc["neutral", "arousal"] - 0.7
    assert means.loc["happiness", "valence"] > means.loc["neutral", "valence"] + 1
    assert means.loc[["anger", "sadness"], "valence"].max() < means.loc["neutral", "valence"] - 1
    assert means["dominance"].idxmax() == "anger"
    assert means["dominance"].idxmin() == "sadness"


def test_within_an_emotion_a_higher_voice_is_more_aroused(ratings):
    own = ratings[ratings["emotion"] == "neutral"]
    assert np.corrcoef(own["pitch"], own["arousal"])[0, 1] > 0.3


def test_neutral_speech_as_it_is_meant_has_the_neutral_rating():
    for dimension in RATED.values():
        assert dimension.rate(EMOTIONS["neutral"]) == dimension.neutral
