"""Networks that answer in dimensions, alone or besides emotions: searched, retrained, shipped."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.deploy.export import export_network
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import model_card
from nni_emodarts.deploy.onnx_network import OnnxNetwork
from nni_emodarts.deploy.recogniser import EmotionRecognizer
from nni_emodarts.deploy.torch_network import read_network
from nni_emodarts.errors import ProtocolError, RunFolderError
from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.metrics.scores import uar
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.page import report
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import retrain

FAST = ("search.epochs=1", "retrain.epochs=2", "search.batch_size=8", "retrain.batch_size=8")
NAMES = ("arousal", "valence", "dominance")


def configured(manifest: Path, task: str, **more: object) -> ExperimentConfig:
    options = {"data.manifest": str(manifest), "data.protocol": "kfold:3", "data.task": task, **more}
    return load_config("tiny", settings=FAST, options=options)


@pytest.fixture(scope="module", params=["dimensions", "both"])
def corpus(small_manifest: Path, request: pytest.FixtureRequest) -> tuple[ExperimentConfig, Corpus]:
    config = configured(small_manifest, request.param)
    return config, load_corpus(config)


@pytest.fixture(scope="module")
def run(corpus: tuple[ExperimentConfig, Corpus], tmp_path_factory: pytest.TempPathFactory) -> Path:
    config, found = corpus
    design = random_architecture(config.space, found.num_outputs, found.shapes, 1)
    folder = RunFolder.claim(tmp_path_factory.mktemp("rated") / "run")
    retrain([FoldTask.of(config, found, 0, 1)], design, folder, final=True)
    return folder.path


def test_what_a_run_says_of_its_figures_follows_from_its_predictions(run: Path, corpus) -> None:
    config, found = corpus
    metrics, table = json.loads((run / "metrics.json").read_text()), RunFolder(run).read_csv("predictions.csv")
    rows = found.fold(0).test
    np.testing.assert_allclose(table[list(NAMES)], found.manifest.values[np.sort(rows)])
    for name in NAMES:
        expected = ccc(table[name], table[f"predicted_{name}"])
        assert metrics[f"test_ccc_{name}"] == pytest.approx(expected, abs=1e-6)
        assert table[f"predicted_{name}"].between(1, 7).all()
    assert metrics["test_ccc"] == pytest.approx(np.mean([metrics[f"test_ccc_{name}"] for name in NAMES]))
    assert metrics["task"] == config.data.task
    assert not {"test_kl", "test_js"} & set(metrics)  # nobody has voted
    if config.data.task == "both":
        labels = pd.Index(found.manifest.classes)
        true, said = (labels.get_indexer(pd.Index(table[name])) for name in ("emotion", "predicted"))
        assert metrics["test_uar"] == pytest.approx(uar(true, said, len(labels)))
        assert metrics["val_uar_ccc"] == pytest.approx((metrics["val_uar"] + metrics["val_ccc"]) / 2)
    else:
        assert "test_uar" not in metrics
        assert not any(name.startswith("p_") for name in table)


def test_the_epoch_that_is_kept_has_the_best_headline(run: Path, corpus) -> None:
    cell = RunFolder(run / "fold_00" / "seed_1")
    history, metrics = cell.read_csv("history.csv"), cell.read_json("metrics.json")
    key = "val_ccc" if corpus[0].data.task == "dimensions" else "val_uar_ccc"
    assert history.loc[metrics["best_epoch"] - 1, key] == pytest.approx(history[key].max())
    assert metrics[key] == pytest.approx(history[key].max(), abs=1e-6)


def test_a_recogniser_answers_as_the_test_did_on_the_scale(run: Path, corpus) -> None:
    found = corpus[1]
    table = RunFolder(run).read_csv("predictions.csv")
    recogniser = EmotionRecognizer.from_run(run, fold=0)
    for _, row in table.head(3).iterrows():
        answer = recogniser.predict(found.manifest.folder / row["file"])
        for name in NAMES:
            assert answer.dimensions[name] == pytest.approx(row[f"predicted_{name}"], abs=2e-3)
        assert (answer.emotion is None) == (not found.manifest.classes)
    moments = list(recogniser.predict_over_time(found.manifest.folder / table["file"][0], window=0.5))
    assert all(set(each.dimensions) == set(NAMES) or each.silent for each in moments)


def test_an_exported_file_has_an_output_of_dimensions(run: Path, corpus, tmp_path: Path) -> None:
    found = corpus[1]
    network = open_network(run)
    reference = read_network(network)
    data = export_network(reference, network.labels)
    outputs = [each.name for each in onnxruntime.InferenceSession(data).get_outputs()]
    assert outputs == (["probabilities", "dimensions"] if found.manifest.classes else ["dimensions"])
    exported = OnnxNetwork(data)
    assert exported.outputs == network.outputs
    waveform = 0.1 * np.random.default_rng(0).standard_normal(9000).astype(np.float32)
    np.testing.assert_allclose(exported([waveform]), reference([waveform]), atol=1e-3)
    (tmp_path / "model.onnx").write_bytes(data)
    assert set(EmotionRecognizer.from_onnx(tmp_path / "model.onnx").predict(waveform, 16000).dimensions) == set(NAMES)


def test_a_report_shows_agreement_the_plane_and_the_worst(run: Path, tmp_path: Path) -> None:
    page = report([str(run)], tmp_path / "report.html").read_text()
    table = RunFolder(run).read_csv("predictions.csv")
    errors = (table[list(NAMES)].to_numpy() - table[[f"predicted_{name}" for name in NAMES]].to_numpy()).__abs__()
    worst = table["file"][errors.mean(1).argmax()]
    section = page[page.index("<h3>Dimensions</h3>") :]
    assert "Answers against what is true" in section
    assert "The plane of valence and arousal" in section
    figures = RunFolder(run).read_json("metrics.json")
    by_seed = section[section.index("Mean test CCC by seed") :]
    assert [f"{each['test_ccc']:.3f}" for each in figures["seeds"].values()] == re.findall(r"\d\.\d{3}", by_seed)[:1]
    assert f"{figures['test_ccc_arousal']:.3f}" in section[: section.index("Mean test CCC by seed")]
    listed = [name for name in re.findall(r"<code>([^<]+)</code></th>", section) if name in set(table["file"])]
    assert listed[0] == worst


def test_a_card_states_scales_and_figures(run: Path) -> None:
    card = model_card(open_network(run))
    assert "arousal from 1 to 7, valence from 1 to 7, dominance from 1 to 7" in card
    assert "CCC (mean over dimensions)" in card
    assert "| arousal |" in card


def test_a_folder_whose_scale_was_edited_is_refused(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run / "final", copy)
    metrics = json.loads((copy / "metrics.json").read_text())
    metrics["outputs"]["high"] = [9.0, 9.0, 9.0]
    (copy / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(RunFolderError, match="mixes two runs"):
        EmotionRecognizer.from_run(copy)


def test_without_a_stated_scale_each_fold_has_its_training_part_s(small_manifest: Path, tmp_path: Path) -> None:
    table = pd.read_csv(small_manifest).drop(columns="scale")
    table["file"] = [str(small_manifest.parent / name) for name in table["file"]]
    table.to_csv(tmp_path / "manifest.csv", index=False)
    config = configured(tmp_path / "manifest.csv", "dimensions", **{"data.targets": ["valence"]})
    corpus = load_corpus(config)
    task = FoldTask.of(config, corpus, 0, 1)
    train = corpus.manifest.values[task.fold.train, 0]
    assert task.outputs.low == (train.min(),)
    assert task.outputs.high == (train.max(),)
    unit = task.outputs.to_unit(corpus.manifest.values[task.fold.train])
    assert unit.min() == pytest.approx(-1)
    np.testing.assert_allclose(task.outputs.from_unit(unit), corpus.manifest.values[task.fold.train])


def test_a_dimension_that_is_constant_in_a_training_part_is_refused(small_manifest: Path, tmp_path: Path) -> None:
    table = pd.read_csv(small_manifest, dtype={"speaker": str})
    table["file"] = [str(small_manifest.parent / name) for name in table["file"]]
    table.loc[table["speaker"] != "01", "arousal"] = 4.0
    table.to_csv(tmp_path / "manifest.csv", index=False)
    config = configured(tmp_path / "manifest.csv", "dimensions")
    corpus = load_corpus(config)
    with pytest.raises(ProtocolError, match="arousal is 4 wherever it is known"):
        _ = FoldTask.of(config, corpus, 0, 1).outputs
