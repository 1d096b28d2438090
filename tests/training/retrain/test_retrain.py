import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, f1_score, recall_score

from nni_emodarts import Architecture, build_model
from nni_emodarts.config import ExperimentConfig, lay_over, load_config
from nni_emodarts.data import overlap
from nni_emodarts.data.batches import evaluation_loader
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.features import FeatureStore, Normalizer
from nni_emodarts.data.fold_task import FoldTask, fold_tasks
from nni_emodarts.data.overlap import find_overlap, fingerprint
from nni_emodarts.errors import ArchitectureError, OverlapError, RunFolderError
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.loss import EmotionLoss
from nni_emodarts.training.retrain import retrain, retrain_fold, settle_space, train
from nni_emodarts.training.retrain import run as retrain_run
from nni_emodarts.training.task import class_weights, predict


def drawn(config: ExperimentConfig, corpus: Corpus, **origin: object) -> Architecture:
    made = random_architecture(config.space, corpus.num_classes, corpus.input_shape, 0)
    return Architecture(made.space, made.choices, made.num_classes, made.input_shape, {**made.origin, **origin})


@pytest.fixture(scope="module")
def finished(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = RunFolder.claim(tmp_path_factory.mktemp("retrain") / "out")
    retrain(fold_tasks(fast_config, small_corpus, [0, 3], [1, 2]), drawn(fast_config, small_corpus), folder, final=True)
    return folder.path


def test_a_training_can_be_looked_at_while_it_runs(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    """It says how far it is, the folder holds what is over, and nothing is left once it stops early."""
    data = fast_config.model_dump(mode="json")
    data["retrain"] |= {"epochs": 6, "patience": 1, "refit": True}
    config = ExperimentConfig.model_validate(data)
    folder, reported = RunFolder.claim(tmp_path / "out"), []

    def progress(what: str, done: int, total: int, **figures: float) -> None:
        reported.append((what, done, total))
        cell = folder.path / "fold_00" / "seed_1" / "history.csv"
        if what.startswith("retrain"):
            assert done == (len(pd.read_csv(cell)) if cell.is_file() else 0)

    retrain(
        fold_tasks(config, small_corpus, [0], [1]), drawn(config, small_corpus), folder, final=True, progress=progress
    )
    assert reported[0] == ("networks", 0, 1)
    assert ("networks", 1, 1) in reported
    assert reported[1] == ("retrain fold 0 seed 1", 0, 6)
    for what in ("retrain fold 0 seed 1", "refit fold 0 seed 1", "final network"):
        done, total = [(done, total) for name, done, total in reported if name == what][-1]
        assert done == total > 0, what


def test_figures_are_scikit_learns(finished: Path, small_corpus: Corpus) -> None:
    for fold in (0, 3):
        for seed in (1, 2):
            cell = finished / f"fold_{fold:02d}" / f"seed_{seed}"
            table = pd.read_csv(cell / "predictions.csv", dtype={"speaker": str})
            metrics = json.loads((cell / "metrics.json").read_text())
            assert len(table) == len(small_corpus.fold(fold).test)
            assert set(table["speaker"]) == set(small_corpus.speakers(small_corpus.fold(fold).test))
            true, predicted, macro = table["emotion"], table["predicted"], {"average": "macro", "zero_division": 0}
            assert metrics["test_uar"] == pytest.approx(recall_score(true, predicted, **macro))
            assert metrics["test_wa"] == pytest.approx(accuracy_score(true, predicted))
            assert metrics["test_macro_f1"] == pytest.approx(f1_score(true, predicted, **macro))
            shares = table[[f"p_{name}" for name in metrics["classes"]]].to_numpy()
            assert shares.sum(1) == pytest.approx(1.0, abs=1e-5)
            assert [metrics["classes"][position] for position in shares.argmax(1)] == predicted.tolist()


def test_the_headline_is_pooled_over_folds_then_averaged_over_seeds(finished: Path) -> None:
    table = pd.read_csv(finished / "predictions.csv")
    pooled = json.loads((finished / "metrics.json").read_text())
    by_seed = [
        recall_score(rows["emotion"], rows["predicted"], average="macro", zero_division=0)
        for _, rows in table.groupby("seed")
    ]
    assert pooled["test_uar"] == pytest.approx(np.mean(by_seed))
    assert pooled["test_uar_std"] == pytest.approx(np.std(by_seed, ddof=1))
    assert set(pooled) >= {"test_wa", "test_macro_f1", "recall", "fold_mean_uar", "val_uar"}


def test_a_network_comes_back_from_its_folder(
    finished: Path, small_corpus: Corpus, fast_config: ExperimentConfig
) -> None:
    """Weights, normalisation and architecture are all that its predictions need."""
    cell = finished / "fold_03" / "seed_2"
    model = build_model(Architecture.load(cell / "architecture.json"), small_corpus.num_classes)
    model.load_state_dict(load_file(cell / "weights.safetensors"))
    normalizer = Normalizer.from_dict(json.loads((cell / "normalization.json").read_text()))
    rows = small_corpus.fold(3).test
    loader = evaluation_loader(small_corpus.utterances(rows, normalizer), small_corpus.collate, 1)
    found = predict(model, loader, torch.device("cpu"), len(rows))
    table = pd.read_csv(cell / "predictions.csv")
    classes = json.loads((cell / "metrics.json").read_text())["classes"]
    np.testing.assert_allclose(found, table[[f"p_{name}" for name in classes]], atol=1e-5)


def test_the_network_to_ship_knows_all_speakers_and_the_folds_epochs(finished: Path, small_corpus: Corpus) -> None:
    metrics = json.loads((finished / "final" / "metrics.json").read_text())
    best = [
        json.loads((finished / f"fold_{fold:02d}" / f"seed_{seed}" / "metrics.json").read_text())["best_epoch"]
        for fold in (0, 3) for seed in (1, 2)
    ]  # fmt: skip
    assert metrics["best_epochs_of_folds"] == best
    assert metrics["epochs"] == round(float(np.median(best)))
    assert metrics["speakers"] == small_corpus.speakers(np.arange(len(small_corpus.manifest)))
    everything = Normalizer.fit(small_corpus.store, np.arange(len(small_corpus.manifest)))
    assert json.loads((finished / "final" / "normalization.json").read_text()) == everything.to_dict()
    assert len(pd.read_csv(finished / "final" / "history.csv")) == metrics["epochs"]
    assert not any(name.startswith("test_") for name in metrics)


def test_resumed_equals_never_stopped(
    finished: Path, fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    architecture = drawn(fast_config, small_corpus)
    folder = RunFolder.claim(tmp_path / "out")
    retrain(fold_tasks(fast_config, small_corpus, [0], [1, 2]), architecture, folder)
    stamp = (folder.path / "fold_00" / "seed_1" / "metrics.json").stat().st_mtime_ns
    (folder.path / "fold_00" / "seed_2" / "metrics.json").unlink()  # as if killed before its last write
    retrain(fold_tasks(fast_config, small_corpus, [0], [1, 2]), architecture, RunFolder.claim(folder.path, resume=True))
    assert (folder.path / "fold_00" / "seed_1" / "metrics.json").stat().st_mtime_ns == stamp, "finished, so kept"
    for seed in (1, 2):
        name = f"fold_00/seed_{seed}/predictions.csv"
        assert (folder.path / name).read_bytes() == (finished / name).read_bytes()


def test_more_seeds_join_those_that_are_there(
    finished: Path, fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    """Pooled together once each seed has the same folds; the network to ship then has their estimate."""
    folder = RunFolder(Path(shutil.copytree(finished, tmp_path / "out")))
    shutil.rmtree(folder.path / "fold_00" / "seed_2")
    shutil.rmtree(folder.path / "fold_03" / "seed_2")
    architecture = Architecture.load(finished / "architecture.json")
    one = retrain(fold_tasks(fast_config, small_corpus, [0, 3], [1]), architecture, folder)
    assert list(one["seeds"]) == [1]
    assert folder.read_json("final/metrics.json")["estimate"]["test_uar"] == pytest.approx(one["test_uar"])
    part = retrain(fold_tasks(fast_config, small_corpus, [0], [2]), architecture, folder)
    assert (list(part["seeds"]), list(part["folds"])) == ([2], [0]), "seed 2 lacks a fold, so that it stands alone"
    both = retrain(fold_tasks(fast_config, small_corpus, [3], [2]), architecture, folder)
    assert (list(both["seeds"]), list(both["folds"])) == ([1, 2], [0, 3])
    assert both["test_uar"] == pytest.approx(json.loads((finished / "metrics.json").read_text())["test_uar"])
    final = folder.read_json("final/metrics.json")
    assert final["estimate"]["test_uar"] == pytest.approx(both["test_uar"])
    shutil.rmtree(folder.path / "final")
    retrain(fold_tasks(fast_config, small_corpus, [3], [2]), architecture, folder, final=True)
    again = folder.read_json("final/metrics.json")
    assert again["best_epochs_of_folds"] == final["best_epochs_of_folds"], "of all that are there, not of this call's"


def test_an_architecture_of_unknown_speakers_keeps_all_recordings(small_corpus: Corpus) -> None:
    """Each may be somebody else, so that four of them would not tell whom a search saw."""
    table = small_corpus.manifest.table.assign(speaker="")
    corpus = replace(small_corpus, manifest=replace(small_corpus.manifest, table=table))
    rows = np.arange(20)
    for row in rows:
        assert find_overlap(fingerprint(corpus, rows), corpus, np.array([row])) == ("?",)


def test_a_folder_of_another_run_is_not_mixed(
    finished: Path, fast_config: ExperimentConfig, small_corpus: Corpus
) -> None:
    other = random_architecture(fast_config.space, 4, small_corpus.input_shape, 5)
    with pytest.raises(RunFolderError, match="another architecture"):
        retrain(fold_tasks(fast_config, small_corpus, [0], [1]), other, RunFolder(finished))
    changed = load_config("tiny", options={"data.protocol": "loso"})
    more = replace(small_corpus, manifest=replace(small_corpus.manifest, digest="of another list"))
    with pytest.raises(RunFolderError, match="a run of another manifest"):
        retrain(fold_tasks(fast_config, more, [0], [1]), drawn(fast_config, small_corpus), RunFolder(finished))
    with pytest.raises(RunFolderError, match="other settings"):
        retrain(fold_tasks(changed, small_corpus, [0], [1]), drawn(fast_config, small_corpus), RunFolder(finished))


def test_speakers_that_the_search_saw_are_refused(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    fold = small_corpus.fold(0)
    origin = fingerprint(small_corpus, np.concatenate([fold.train, fold.validation]))
    architecture = drawn(fast_config, small_corpus, **origin)
    assert find_overlap(origin, small_corpus, fold.test) == ()
    folder = RunFolder.claim(tmp_path / "out")
    with pytest.raises(OverlapError, match=r"fold 1: 02.*--allow-overlap"):
        retrain(fold_tasks(fast_config, small_corpus, [0, 1], [1]), architecture, folder)
    assert not list(folder.path.iterdir()), "nothing half-written"
    pooled = retrain(fold_tasks(fast_config, small_corpus, [1], [1]), architecture, folder, allow_overlap=True)
    assert pooled["overlap"] == ["02"]
    assert json.loads((folder.path / "fold_01/seed_1/metrics.json").read_text())["overlap"] == ["02"]


def test_people_who_speak_in_one_recording_are_reported_apart_within_a_manifest(small_corpus: Corpus) -> None:
    fold = small_corpus.fold(0)
    one = small_corpus.store.pick(np.zeros(len(small_corpus.manifest), dtype=int))
    dialogue = replace(small_corpus, store=one)
    origin = fingerprint(dialogue, fold.train)
    assert find_overlap(origin, dialogue, fold.test) == ()
    assert find_overlap(origin, dialogue, fold.train[:1])
    elsewhere = replace(dialogue, manifest=replace(dialogue.manifest, digest="of another list"))
    assert find_overlap(origin, elsewhere, fold.test), "another list may call the same person otherwise"


def test_overlap_between_manifests_goes_by_recordings(
    small_corpus: Corpus, fast_config: ExperimentConfig, tmp_path: Path
) -> None:
    """Another list of the same recordings, under other names, is the same people; namesakes elsewhere are not."""
    from nni_emodarts.data.corpora.synthetic import make_corpus

    rows = small_corpus.fold(0).train
    origin = fingerprint(small_corpus, rows)
    table = pd.read_csv(small_corpus.manifest.folder / "manifest.csv", dtype=str)
    table["file"] = [str(small_corpus.manifest.folder / name) for name in table["file"]]
    table["speaker"] = "guest" + table["speaker"]
    table.to_csv(tmp_path / "renamed.csv", index=False)
    renamed = _corpus_of(fast_config, tmp_path / "renamed.csv")
    everyone = np.arange(len(renamed.manifest))
    assert find_overlap(origin, renamed, everyone) == tuple(
        f"guest{speaker}" for speaker in small_corpus.speakers(rows)
    )
    foreign = make_corpus(tmp_path / "foreign", speakers=6, utterances=1, seed=9)
    other = _corpus_of(fast_config, foreign)
    assert set(other.manifest.table["speaker"]) >= set(small_corpus.speakers(rows)), "namesakes"
    assert find_overlap(origin, other, np.arange(len(other.manifest))) == ()


def _corpus_of(config: ExperimentConfig, manifest: Path) -> Corpus:
    data = config.data.model_copy(update={"manifest": str(manifest)})
    return load_corpus(config.model_copy(update={"data": data}))


def test_a_selection_of_the_heard_recordings_is_the_same_people(
    small_corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An origin names a few recordings of each speaker, of which a list of some emotions may hold none."""
    monkeypatch.setattr(overlap, "_PER_SPEAKER", 1)
    heard = small_corpus.fold(0).train
    origin = fingerprint(small_corpus, heard)
    one = small_corpus.speakers(heard)[0]
    speakers = small_corpus.manifest.table["speaker"]
    kept = [
        row
        for row, digest in enumerate(small_corpus.store.digests)
        if digest[:16] not in origin["recordings"] or speakers[row] == one
    ]
    table = small_corpus.manifest.table.iloc[kept].reset_index(drop=True)
    manifest = replace(small_corpus.manifest, table=table, digest="of a selection")
    selection = replace(small_corpus, manifest=manifest, store=small_corpus.store.pick(np.array(kept)))
    everyone = np.arange(len(kept))
    assert find_overlap(origin, selection, everyone) == tuple(small_corpus.speakers(heard))
    unheard = np.flatnonzero(~table["speaker"].isin(small_corpus.speakers(heard)).to_numpy())
    assert len(unheard)
    assert find_overlap(origin, selection, unheard) == ()


def test_where_a_tuner_chooses_no_test_utterance_is_read(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, rows = FeatureStore.__getitem__, set()

    def noting(store: FeatureStore, row: int) -> np.ndarray:
        rows.add(int(row))
        return read(store, row)

    monkeypatch.setattr(FeatureStore, "__getitem__", noting)
    fold = small_corpus.fold(0)
    architecture = drawn(fast_config, small_corpus)
    folder = RunFolder.claim(tmp_path / "out")
    metrics = retrain_fold(FoldTask(fast_config, small_corpus, fold, 1), architecture, folder, read_test=False)
    assert not rows & set(fold.test.tolist())
    assert not any(name.startswith("test_") for name in metrics)
    assert not (folder.path / "predictions.csv").exists()


def test_an_architecture_of_another_space(fast_config: ExperimentConfig, small_corpus: Corpus) -> None:
    architecture = drawn(fast_config, small_corpus)
    assert settle_space(load_config("tiny"), architecture, explicit=True).space == architecture.space
    with pytest.raises(ArchitectureError, match=r"another space than preset compact"):
        settle_space(load_config("compact"), architecture, explicit=True)
    with pytest.raises(ArchitectureError, match=r"\(1, 40\).*\(1, 64\)"):
        settle_space(load_config("compact"), architecture, explicit=False)


def test_patience_stops_and_keeps_the_best_weights(fast_config: ExperimentConfig, small_corpus: Corpus) -> None:
    data = fast_config.model_dump()
    data["retrain"] |= {"epochs": 12, "patience": 2}
    data["retrain"]["optimizer"]["learning_rate"] = 1e-9  # nothing improves
    data["retrain"]["drop_path"] = 0.0
    config = ExperimentConfig.model_validate(data)
    fold = small_corpus.fold(0)
    trained = train(FoldTask(config, small_corpus, fold, 1), drawn(config, small_corpus))
    uars = [row["val_uar"] for row in trained.history]
    assert len(uars) == uars.index(max(uars)) + 1 + 2 < 12, "two epochs after the last rise"
    best = max((row["val_uar"], -row["val_loss"], -row["epoch"]) for row in trained.history)
    assert trained.best_epoch == -best[2]


def test_the_training_loss_of_an_epoch_is_recorded(fast_config: ExperimentConfig, small_corpus: Corpus) -> None:
    """One batch of all utterances, by which nothing is learnt: the loss of the network that comes back."""
    rows = small_corpus.fold(0).train
    still = lay_over(
        fast_config,
        [
            "retrain.epochs=1",
            f"retrain.batch_size={len(rows)}",
            "retrain.optimizer.learning_rate=1e-9",
            "space.dropout=0",
            "retrain.averaging=0",
            "retrain.spec_augment.time_masks=0",
            "retrain.spec_augment.frequency_masks=0",
        ],
    )
    alone = replace(small_corpus.fold(0), validation=np.empty(0, dtype=np.int64))
    trained = train(FoldTask(still, small_corpus, alone, 1), drawn(still, small_corpus))
    utterances = small_corpus.utterances(rows, trained.normalizer)
    (batch,) = evaluation_loader(utterances, small_corpus.collate, len(rows))
    weights = class_weights(small_corpus.manifest.labels[rows], small_corpus.num_classes)
    logits = trained.model.cpu().train()(batch.maps, batch.lengths)
    expected = EmotionLoss(weights, still.retrain.label_smoothing, still.retrain.focal)(logits.detach(), batch.labels)
    assert [row["train_loss"] for row in trained.history] == pytest.approx([float(expected)], rel=1e-4)


@pytest.mark.parametrize("noted", [True, False])
def test_recordings_that_changed_since_the_search_are_reported_of(
    noted: bool,
    fast_config: ExperimentConfig,
    small_corpus: Corpus,
    small_manifest: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another take under the name of one that the search saw; another manifest would be another matter."""
    copy = Path(shutil.copytree(small_manifest.parent, tmp_path / "corpus"))
    origin = fingerprint(small_corpus, small_corpus.fold(0).train)
    searched_on = {"manifest": small_corpus.manifest.digest, "recordings": small_corpus.recordings} if noted else None
    architecture = drawn(fast_config, small_corpus, **origin)
    monkeypatch.setattr(retrain_run, "retrain", lambda *args, **options: {})

    def notes_of(manifest: Path, name: str) -> list[str]:
        data = fast_config.data.model_copy(update={"manifest": str(manifest)})
        reported: list[str] = []
        retrain_run.run_retrain(
            fast_config.model_copy(update={"data": data}), architecture, tmp_path / name,
            folds=[0], searched_on=searched_on, note=reported.append,
        )  # fmt: skip
        return [each for each in reported if "since the architecture was searched" in each]

    assert notes_of(copy / small_manifest.name, "same") == []
    for file in sorted(copy.glob("*.flac"))[::3]:  # of each speaker some
        samples, rate = soundfile.read(file)
        soundfile.write(file, samples[::-1], rate)
    assert len(notes_of(copy / small_manifest.name, "changed")) == 1
    table = pd.read_csv(copy / small_manifest.name)
    table.iloc[::-1].to_csv(copy / "other.csv", index=False)
    assert notes_of(copy / "other.csv", "other") == []
