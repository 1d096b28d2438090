"""Votes of several manifests as targets, and networks that learnt from votes on other corpora."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_ratings import changed
from scipy.stats import entropy

from nni_emodarts.config import ExperimentConfig, lay_over
from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.deploy.scoring import run_score
from nni_emodarts.models.space import random_architecture
from nni_emodarts.training.retrain import run_retrain
from nni_emodarts.training.retrain.elsewhere import Asked


def vote(table: pd.DataFrame) -> pd.DataFrame:
    """Three for the label and one for fear, which is nobody's; of every seventh utterance two for two classes."""
    votes = [{emotion: 3, "fear": 1} for emotion in table["emotion"]]
    torn = table.index % 7 == 0
    votes = [{"anger": 2, "sadness": 2} if split else each for split, each in zip(torn, votes, strict=True)]
    return table.assign(votes=[json.dumps(each) for each in votes], emotion=table["emotion"].mask(torn, ""))


@pytest.mark.parametrize("task", ["emotion", "both"])
def test_one_corpus_is_left_out_of_those_that_votes_are_learnt_of(
    fast_config: ExperimentConfig, small_manifest: Path, tmp_path: Path, task: str
) -> None:
    foreign = make_corpus(tmp_path / "foreign", speakers=4, utterances=1, seed=7)
    third = make_corpus(tmp_path / "third", speakers=2, utterances=1, seed=8)
    paths = [changed(small_manifest, f"small_voted_{task}", vote), changed(foreign, "foreign_voted", vote)]
    settings = [f'data.manifest="{paths[0]},{paths[1]}"', "data.protocol=loco", "retrain.targets=votes"]
    config = lay_over(fast_config, [*settings, f"data.task={task}", "retrain.epochs=1"])
    corpus = load_corpus(config)
    assert any("votes: " in note and "for 'fear'" in note for note in corpus.manifest.notes)
    design = random_architecture(config.space, corpus.num_outputs, corpus.shapes, 0)
    out = tmp_path / "out"
    done = run_retrain(config, design, out, asked=Asked((str(third),)))
    table = pd.read_csv(out / "predictions.csv")
    undecided = pd.concat([pd.read_csv(out / f"fold_0{fold}/seed_1/undecided.csv") for fold in (0, 1)])
    tested = {fold: set(rows["speaker"].str.split("/").str[0]) for fold, rows in table.groupby("fold")}
    assert tested == {0: {"foreign_voted"}, 1: {f"small_voted_{task}"}}
    assert (len(table), len(undecided)) == (64 - 10, 10)
    every = pd.concat([table, undecided])
    shares, answers = (
        every[[f"{kind}_{name}" for name in corpus.manifest.classes]].to_numpy(float) for kind in ("share", "p")
    )
    assert np.isin(shares, (0.0, 0.5, 1.0)).all()  # none for fear
    assert done.pooled["test_kl"] == pytest.approx(entropy(shares, answers, axis=1).mean(), abs=1e-6)
    elsewhere = pd.read_csv(out / "other_corpora.csv")
    assert not any(name.startswith("share_") for name in elsewhere)
    scored = run_score(out, [third])
    assert list(scored.predictions) == [name for name in elsewhere if name not in ("task", "track")]
    assert scored.corpora["third"]["test_uar"] == pytest.approx(done.pooled["other_corpora"]["third"]["test_uar"])
    assert ("test_ccc" in scored.corpora["third"]) == (task == "both")
