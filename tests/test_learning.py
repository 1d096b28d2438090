"""The embedded corpus is learnt, and not by a linear model on averages."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nni_emodarts.config import load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.protocols import Fold
from nni_emodarts.metrics.scores import uar
from nni_emodarts.models.space import random_architecture
from nni_emodarts.training.retrain import predictions, score_predictions, train


def linear_uar(corpus: Corpus, fold: Fold) -> float:
    """Logistic regression on the mean over time of 20 MFCCs, trained on all but the test speakers."""
    features = []
    for file in corpus.manifest.table["file"]:
        waveform, rate = soundfile.read(file, dtype="float32")
        features.append(librosa.feature.mfcc(y=waveform, sr=rate, n_mfcc=20).mean(1))
    seen = np.concatenate([fold.train, fold.validation])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(np.array(features)[seen], corpus.manifest.labels[seen])
    return uar(corpus.manifest.labels[fold.test], model.predict(np.array(features)[fold.test]), corpus.num_classes)


@pytest.mark.slow
def test_a_network_of_the_space_learns_what_a_linear_model_cannot(cache: Path) -> None:
    config = load_config("tiny", options={"data.manifest": "synthetic", "data.protocol": "kfold:4"})
    corpus = load_corpus(config)
    fold = corpus.fold(0)
    architecture = random_architecture(config.space, 4, corpus.input_shape, 0)
    task = FoldTask(config, corpus, fold, 1)
    trained = train(task, architecture)
    figures = score_predictions(predictions(task, trained, fold.test), corpus.manifest.classes)
    linear = linear_uar(corpus, fold)
    assert linear < 0.6, "the corpus must not be a linear model's"
    assert figures["test_uar"] > linear + 0.1
    assert figures["test_uar"] > 0.6, "chance is 0.25"
