"""Functionals that join what pooling leaves. They are made up here, so that no test needs openSMILE."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from made_up_smile import Smile

from nni_emodarts import Architecture, EmoDartsSpace, build_model
from nni_emodarts.benchmark.checks import refuse_other_features
from nni_emodarts.benchmark.methods import Method
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.features import functionals
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import model_card
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.shipping import ship
from nni_emodarts.errors import ArchitectureError, ConfigError
from nni_emodarts.models.costs import architecture_cost
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.drawings.drawing import drawings, find_subject
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.run import search
from nni_emodarts.training.retrain import retrain_fold, settle_space

JOINED = "eGeMAPSv02"
COUNT = functionals.FUNCTIONAL_SETS[JOINED]
SETTINGS = (
    "search.epochs=1", "retrain.epochs=1", "search.batch_size=8", "retrain.batch_size=8", "search.epoch_steps=2",
    "retrain.epoch_steps=3", "retrain.mixup=0.2", "retrain.excerpt=0.7", "retrain.perturbation.noise=0.2",
    "search.options.cost.weight=0.1", f"features.functionals={JOINED}",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def made_up() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(functionals, "version", lambda name: "made up here")
        patch.setattr(functionals, "_load", Smile)
        yield


@pytest.fixture(scope="module")
def config(small_manifest: Path) -> ExperimentConfig:
    return load_config("tiny", settings=SETTINGS, options={"data.manifest": str(small_manifest)})


@pytest.fixture(scope="module")
def corpus(config: ExperimentConfig) -> Corpus:
    return load_corpus(config)


@pytest.fixture(scope="module")
def run(config: ExperimentConfig, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search and a retraining of what it found."""
    folder = tmp_path_factory.mktemp("joined")
    task = FoldTask.of(config, corpus, 1, 3)
    found = search(task, RunFolder.claim(folder / "search"))
    metrics = retrain_fold(task, found, RunFolder.claim(folder / "fold"))
    assert metrics["parameters"] == architecture_cost(found, "parameters", 9)
    return folder / "fold"


def test_what_is_off_changes_no_id() -> None:
    off = load_config("tiny")
    assert "functionals" not in off.space.identity()
    assert "functionals" not in off.meaning()["features"]
    assert load_config("tiny", settings=[f"features.functionals={JOINED}"]).space.identity() != off.space.identity()


def test_they_are_standardised_on_training_utterances_and_never_changed(
    config: ExperimentConfig, corpus: Corpus
) -> None:
    task = FoldTask.of(config, corpus, 1, 3)
    batches = list(task.training_batches(task.fold.train, 8))
    rows = torch.cat([batch.rows for batch in batches])
    joined = torch.cat([batch.maps[1][:, 0, :, 0] for batch in batches])[rows.argsort()]
    assert joined.shape == (len(task.fold.train), COUNT)
    torch.testing.assert_close(joined.mean(0), torch.zeros(COUNT), atol=1e-4, rtol=0)
    torch.testing.assert_close(joined.std(0, correction=0), torch.ones(COUNT), atol=1e-3, rtol=0)
    assert all(batch.lengths[:, 1].eq(1).all() for batch in batches)


def test_they_join_before_the_classifier(config: ExperimentConfig, corpus: Corpus) -> None:
    architecture = random_architecture(config.space, 4, corpus.shapes, 0)
    assert architecture.input_shape == {"log_mel": (1, 40), "functionals": (1, COUNT)}
    model = build_model(architecture).eval()
    maps, lengths = (torch.randn(3, 1, 40, 20), torch.randn(3, 1, COUNT, 1)), torch.tensor([[20, 1], [9, 1], [4, 1]])
    pooled: list[torch.Tensor] = []
    model.classifier.register_forward_hook(lambda module, given, out: pooled.append(given[0]))
    logits = model(maps, lengths)
    both = torch.cat([pooled[0], maps[1][:, 0, :, 0]], 1)
    weight = torch.cat([model.classifier.weight, model.functionals.linear.weight], 1)
    torch.testing.assert_close(logits, both @ weight.T + model.classifier.bias)
    with pytest.raises(ConfigError, match="lacks that of functionals"):
        EmoDartsSpace(4, (1, 40), **config.space.identity())


def test_search_retraining_and_recognition_go_together(run: Path, small_manifest: Path) -> None:
    table = RunFolder(run).read_csv("predictions.csv")
    recogniser = EmotionRecognizer.from_run(run)
    for row in range(3):
        answer = recogniser.predict(small_manifest.parent / table["file"].iloc[row])
        for label, value in answer.probabilities.items():
            assert value == pytest.approx(table[f"p_{label}"].iloc[row], abs=1e-4)
    assert f"functionals {JOINED}" in model_card(open_network(run))
    assert "network" in {name for name, _ in drawings(find_subject(run))}
    with pytest.raises(ConfigError, match=f"features.functionals: {JOINED} cannot be exported"):
        ship(open_network(run), run / "exported.onnx")


def test_what_cannot_be_joined_is_refused(config: ExperimentConfig, run: Path, corpus: Corpus) -> None:
    with pytest.raises(ConfigError, match=f"method cnn is joined by no functionals, but .* is {JOINED}"):
        refuse_other_features(config, [Method("cnn"), Method("darts")])
    found = Architecture.load(run / "architecture.json")
    with pytest.raises(ArchitectureError, match=f"joined by functionals {JOINED}, but features.functionals is None"):
        settle_space(load_config("tiny"), found, explicit=False)
    rate: dict[str, Any] = {"features.sampling_rate": 8000, "features.functionals": JOINED}
    with pytest.raises(ConfigError, match="log_mel 8000 Hz, functionals 16000 Hz"):
        load_config("tiny", options=rate)
