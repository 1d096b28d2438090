"""Inner splits of a fold's training speakers."""

import numpy as np
import pytest

from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.inner_folds import inner_fold
from nni_emodarts.errors import ProtocolError


def test_inner_splits_validate_each_training_speaker_once_and_hear_no_test_speaker(small_corpus: Corpus) -> None:
    fold = small_corpus.fold(0)
    learnt = np.sort(np.concatenate([fold.train, fold.validation]))
    speakers = small_corpus.manifest.table["speaker"].to_numpy()
    inside = [inner_fold(small_corpus.manifest, fold, 2, number) for number in range(2)]
    assert np.sort(np.concatenate([each.validation for each in inside])).tolist() == learnt.tolist()
    for each in inside:
        assert not set(speakers[each.train]) & set(speakers[each.validation])
        assert not set(speakers[each.train]) & set(speakers[fold.test])
        assert np.sort(np.concatenate([each.train, each.validation])).tolist() == learnt.tolist()
        assert not len(each.test)
    with pytest.raises(ProtocolError, match="99 inner splits"):
        inner_fold(small_corpus.manifest, fold, 99, 0)
