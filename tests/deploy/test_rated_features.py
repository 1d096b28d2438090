"""Networks that learn dimensions from features of every kind: searched, retrained, recognised, exported."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.features import functionals
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.front_ends.pinning import pinned
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.run import search
from nni_emodarts.training.retrain import retrain_fold
from tests.conftest import FAST
from tests.data.front_ends.encoders import make_encoder
from tests.made_up_smile import Smile

SMALL = (
    *FAST, "retrain.epoch_steps=3", "search.epoch_steps=2", "space.seqnn_width=16", "space.cnn_channels=8",
    "space.cnn_cells=2", "space.reduction_cells=[1]", "space.cnn_nodes=1", "space.seqnn_nodes=1",
)  # fmt: skip
NAMES = ("arousal", "valence", "dominance")
MEL = {"name": "mel", "kind": "log_mel", "mel_bands": 40}


@pytest.fixture(scope="module", autouse=True)
def made_up() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functionals, "version", lambda name: "made up here")
        patch.setattr(functionals, "_load", Smile)
        yield


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """The stream of a tiny Whisper."""
    pytest.importorskip("transformers")
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoders") / "tiny-whisper"
    make_encoder(folder, "whisper")
    return {"name": "speech", "kind": "pretrained", "model": str(folder), "hop_ms": 80, "padding": 0.4}


def configured(kind: str, task: str, manifest: Path, speech: dict[str, object]) -> ExperimentConfig:
    features: dict[str, dict[str, object]] = {
        "pretrained": {"features.streams": [speech]},
        "several": {"features.streams": [MEL, speech]},
        "speaker": {"features.normalization": "speaker"},
        "adapted_pretrained": {"features.streams": [speech], "features.normalization": "speaker"},
        "functionals": {"features.functionals": "eGeMAPSv02"},
    }
    options = {"data.manifest": str(manifest), "data.protocol": "kfold:3", "data.task": task, **features[kind]}
    return pinned(load_config("pretrained" if "pretrained" in kind else "tiny", settings=SMALL, options=options))


@pytest.fixture(
    scope="module",
    params=[
        ("pretrained", "both"), ("several", "dimensions"), ("speaker", "both"), ("adapted_pretrained", "dimensions"),
        ("functionals", "dimensions"),
    ],
    ids="-".join,
)  # fmt: skip
def run(
    request: pytest.FixtureRequest, small_manifest: Path, speech: dict[str, object],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, Corpus, Path]:  # fmt: skip
    """Kind of features, corpus, and the folder of a network that was searched and retrained."""
    kind, task = request.param
    config, folder = configured(kind, task, small_manifest, speech), tmp_path_factory.mktemp(kind)
    corpus = load_corpus(config)
    fold = FoldTask.of(config, corpus, 0, 1)
    found = search(fold, RunFolder.claim(folder / "search"))
    retrain_fold(fold, found, RunFolder.claim(folder / "fold"))
    return kind, corpus, folder / "fold"


def test_figures_are_of_what_was_answered(run: tuple[str, Corpus, Path]) -> None:
    kind, corpus, folder = run
    metrics, table = RunFolder(folder).read_json("metrics.json"), RunFolder(folder).read_csv("predictions.csv")
    found = [ccc(table[name], table[f"predicted_{name}"]) for name in NAMES]
    assert metrics["test_ccc"] == pytest.approx(np.mean(found), abs=1e-6)
    np.testing.assert_allclose(table[list(NAMES)], corpus.manifest.values[np.sort(corpus.fold(0).test)])
    assert metrics["speaker_adapted"] == (kind in ("speaker", "adapted_pretrained"))
    searched = RunFolder(folder.parent / "search").read_json("metrics.json")
    assert any(name in searched for name in ("val_ccc", "val_uar_ccc"))


def test_folder_and_file_answer_as_the_test_did(run: tuple[str, Corpus, Path], tmp_path: Path) -> None:
    """A speaker's others are the enrolment, where there is one."""
    kind, corpus, folder = run
    table = RunFolder(folder).read_csv("predictions.csv")
    recognisers = [EmotionRecognizer.from_run(folder)]
    if kind != "functionals":  # which cannot be exported, whatever is learnt
        ship(open_network(folder), tmp_path / "model.onnx")
        recognisers.append(EmotionRecognizer.from_onnx(tmp_path / "model.onnx"))
    for _, row in table.head(2).iterrows():
        path = corpus.manifest.folder / row["file"]
        others = [corpus.manifest.folder / name for name in same_speaker(table, row)]
        enrolment = others if kind in ("speaker", "adapted_pretrained") else None
        for recogniser in recognisers:
            answer = recogniser.predict(path, enrolment=enrolment)
            for name in NAMES:
                assert answer.dimensions[name] == pytest.approx(row[f"predicted_{name}"], abs=1e-2)


def same_speaker(table: pd.DataFrame, row: pd.Series) -> list[str]:  # type: ignore[type-arg]
    return [name for name in table.loc[table["speaker"] == row["speaker"], "file"] if name != row["file"]]
