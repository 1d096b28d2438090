import itertools
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from nni_emodarts import Architecture
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import FeatureStore
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.halves import halves
from nni_emodarts.errors import DivergenceError, RunFolderError
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.one_shot import train as one_shot
from nni_emodarts.search.one_shot.darts import CuredDartsSearch
from nni_emodarts.search.run import search
from nni_emodarts.training.task import EmotionTask


class Code:
    """Makes a file when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self._file = str(folder / "ran")

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self._file, "w")


@pytest.fixture(scope="module")
def read_rows() -> set[int]:
    return set()


@pytest.fixture(scope="module")
def learnt_rows() -> dict[str, set[int]]:
    """Rows that the weights (`train`) and the alphas (`val`) learn from."""
    return {"train": set(), "val": set()}


@pytest.fixture(scope="module")
def searched(
    fast_config: ExperimentConfig,
    small_corpus: Corpus,
    read_rows: set[int],
    learnt_rows: dict[str, set[int]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A search of two epochs that notes every utterance that it reads, and what it learns of each."""
    read, step = FeatureStore.__getitem__, CuredDartsSearch.training_step

    def noting(store: FeatureStore, row: int) -> np.ndarray:
        read_rows.add(int(row))
        return read(store, row)

    def noting_step(search: CuredDartsSearch, batch: dict[str, Any], batch_idx: int) -> torch.Tensor:
        for part, rows in learnt_rows.items():
            rows.update(batch[part].rows.tolist())
        return step(search, batch, batch_idx)

    data = fast_config.model_dump()
    data["search"]["epochs"] = 2
    config = ExperimentConfig.model_validate(data)
    folder = RunFolder.claim(tmp_path_factory.mktemp("search") / "out")
    reports: list[float] = []
    reported: list[tuple[int, int]] = []

    def progress(what: str, done: int, total: int, **figures: float) -> None:
        """While it runs, the folder holds what is over."""
        reported.append((done, total))
        for name in ("history.csv", "alphas.csv"):
            assert done == (folder.read_csv(name)["epoch"].nunique() if folder.has(name) else 0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeatureStore, "__getitem__", noting)
        patch.setattr(CuredDartsSearch, "training_step", noting_step)
        search(FoldTask.of(config, small_corpus, 2, 1), folder, progress, reports.append)
    assert reported == [(0, 2), (1, 2), (2, 2)]
    history = pd.read_csv(folder.path / "history.csv")
    assert reports == pytest.approx(history["val_uar"].tolist(), abs=1e-6)
    return folder.path


def test_no_test_utterance_is_read(searched: Path, read_rows: set[int], small_corpus: Corpus) -> None:
    fold = small_corpus.fold(2)
    assert read_rows == set(fold.train.tolist()) | set(fold.validation.tolist())


def test_alphas_move_and_decide(searched: Path) -> None:
    alphas = pd.read_csv(searched / "alphas.csv", dtype={"choice": str}, keep_default_na=False)
    assert alphas["epoch"].unique().tolist() == [0, 1]
    assert alphas.groupby(["epoch", "label"])["probability"].sum().to_numpy() == pytest.approx(1.0, abs=1e-5)
    first, last = (alphas[alphas["epoch"] == epoch].set_index(["label", "choice"])["alpha"] for epoch in (0, 1))
    moved = (last - first.reindex(last.index)).abs()
    assert moved.gt(1e-4).mean() > 0.9
    architecture = Architecture.load(searched / "architecture.json")
    for label, choice in architecture.choices.items():
        of_label = last[label].drop("none", errors="ignore")
        best = of_label.sort_values(ascending=False).index
        assert choice == (best[0] if isinstance(choice, str) else tuple(sorted(int(state) for state in best[:2])))


def test_what_a_search_leaves(searched: Path, small_corpus: Corpus) -> None:
    names = {path.name for path in searched.iterdir()}
    assert names == {
        "config.yml", "architecture.json", "alphas.csv", "history.csv", "metrics.json", "environment.json",
        "search.json", "corpus.json", "files.txt",
    }  # fmt: skip
    metrics = json.loads((searched / "metrics.json").read_text())
    assert metrics["val_uar"] == pd.read_csv(searched / "history.csv")["val_uar"].iloc[-1]
    assert load_config(file=searched / "config.yml").search.epochs == 2
    origin = json.loads((searched / "architecture.json").read_text())["origin"]
    fold = small_corpus.fold(2)
    test_speakers = small_corpus.speakers(fold.test)
    assert set(origin["speakers"]) == {"01", "02", "03", "04", "05", "06"} - set(test_speakers)
    assert (origin["strategy"], origin["seed"], origin["fold"]) == ("darts", 1, 2)
    assert origin["manifest"] == small_corpus.manifest.digest


def test_a_search_says_how_decided_it_is(searched: Path) -> None:
    """The entropy is that of the last rows of alphas.csv, a node's of the pairs that it may take."""
    metrics = json.loads((searched / "metrics.json").read_text())
    assert metrics["entropy"] == pytest.approx(pd.read_csv(searched / "history.csv")["entropy"].iloc[-1], abs=1e-6)
    alphas = pd.read_csv(searched / "alphas.csv", keep_default_na=False).query("epoch == 1")
    shares = []
    for label, rows in alphas.groupby("label"):
        chances = rows["probability"].to_numpy()
        if label.count("_") == 1:
            both = itertools.permutations(chances, 2)
            ordered = np.array([first * second / (1 - first) for first, second in both])
            pairs = list(itertools.permutations(range(len(chances)), 2))
            chances = np.array([ordered[pairs.index((a, b))] + ordered[pairs.index((b, a))] for a, b in pairs if a < b])
        if len(chances) > 1:
            shares.append(-(chances * np.log(chances)).sum() / np.log(len(chances)))
    assert metrics["entropy"] == pytest.approx(np.mean(shares), abs=1e-5)
    assert metrics["decided"] is False
    assert 0 < metrics["chance_p"] <= 1
    assert 0 <= metrics["discrete_val_uar"] <= 1


def test_same_seed_same_architecture(searched: Path, small_corpus: Corpus, tmp_path: Path) -> None:
    config = load_config(file=searched / "config.yml")
    search(FoldTask.of(config, small_corpus, 2, 1), RunFolder.claim(tmp_path / "again"))
    for name in ("alphas.csv", "history.csv", "architecture.json"):
        assert (tmp_path / "again" / name).read_bytes() == (searched / name).read_bytes()


@pytest.mark.usefixtures("searched")
def test_weights_and_alphas_learn_from_different_speakers_of_the_training_part(
    learnt_rows: dict[str, set[int]], small_corpus: Corpus
) -> None:
    fold = small_corpus.fold(2)
    assert learnt_rows["train"] | learnt_rows["val"] == set(fold.train.tolist())
    speakers = [set(small_corpus.speakers(np.array(sorted(rows)))) for rows in learnt_rows.values()]
    assert not speakers[0] & speakers[1]
    expected = halves(small_corpus.manifest, fold.train, seed=1)
    assert list(learnt_rows.values()) == [set(rows.tolist()) for rows in expected]


def test_cures_and_records_in_a_real_search(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    data = fast_config.model_dump(mode="json")
    data["space"] |= {
        "cnn_primitives": ["max_pool_3x3", "skip_connect", "none"],
        "seqnn_primitives": ["lstm_1", "skip_connect"],
    }
    data["search"] |= {"epochs": 2, "epoch_steps": 1}
    data["search"]["options"] = {
        "eigenvalue": True,
        "selection": "perturbation",
        "tuning_steps": 1,
        "max_skips": 1,
        "cost": {"metric": "flops", "weight": 0.1},
    }
    config = ExperimentConfig.model_validate(data)
    folder = RunFolder.claim(tmp_path / "out")
    architecture = search(FoldTask.of(config, small_corpus, 0, 1), folder)
    history = pd.read_csv(folder.path / "history.csv")
    assert {"epoch", "val_uar", "skips", "entropy", "eigenvalue"} == set(history.columns)
    assert np.isfinite(history["eigenvalue"]).all()
    # a cell with a skip connection ends the search, at the first epoch that derives one
    assert (history["skips"].iloc[:-1] == 0).all()
    assert len(history) == 2 or history["skips"].iloc[-1] >= 1
    assert not set(architecture.choices.values()) & {"none"}


def test_a_loss_that_is_no_number_stops_the_search_and_names_the_step(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = fast_config.model_dump(mode="json")
    data["search"] |= {"epochs": 2, "epoch_steps": 2}
    config = ExperimentConfig.model_validate(data)
    forward = EmotionTask.forward

    def poisoned(task: EmotionTask, maps: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        logits = forward(task, maps, lengths)
        return logits * float("nan") if task.trainer.current_epoch == 1 else logits

    monkeypatch.setattr(EmotionTask, "forward", poisoned)
    with pytest.raises(DivergenceError, match=r"loss is nan in epoch 2, step 1; .*; start anew in another folder"):
        search(FoldTask.of(config, small_corpus, 0, 1), RunFolder.claim(tmp_path / "out"))
    for fault, says in ((b"PK no checkpoint", "cannot be read"), (pickle.dumps(Code(tmp_path)), "more than numbers")):
        (tmp_path / "out" / "checkpoint.ckpt").write_bytes(fault)
        with pytest.raises(RunFolderError, match=says):
            search(FoldTask.of(config, small_corpus, 0, 1), RunFolder.claim(tmp_path / "out", resume=True))
    assert not (tmp_path / "ran").exists()


def test_a_coarse_search_finds_a_network_for_full_resolution(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    data = fast_config.model_dump(mode="json")
    data["search"] |= {"epochs": 1, "epoch_steps": 1, "coarseness": 2}
    data["search"]["options"] = {"shared_depth": True, "partial_channels": 2}
    config = ExperimentConfig.model_validate(data)
    architecture = search(FoldTask.of(config, small_corpus, 0, 1), RunFolder.claim(tmp_path / "out"))
    assert architecture.input_shape == small_corpus.input_shape
    lengths = small_corpus.coarser(2).utterances(small_corpus.fold(0).train, None).lengths
    assert (lengths == -(-small_corpus.store.lengths[small_corpus.fold(0).train] // 2)).all()


@pytest.mark.parametrize("normalized", [True, False])
def test_recurrences_are_normalised_only_while_they_compete(
    normalized: bool,
    fast_config: ExperimentConfig,
    small_corpus: Corpus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, held_space = [], one_shot.EmoDartsSpace

    def space(*shape: Any, **options: Any) -> Any:
        held.append(options.get("seqnn_normalization", False))
        return held_space(*shape, **options)

    monkeypatch.setattr(one_shot, "EmoDartsSpace", space)
    data = fast_config.model_dump(mode="json")
    data["search"] |= {"epochs": 1, "epoch_steps": 1}
    data["search"]["options"] = {"normalized_recurrence": normalized}
    config = ExperimentConfig.model_validate(data)
    architecture = search(FoldTask.of(config, small_corpus, 0, 1), RunFolder.claim(tmp_path / "out"))
    assert held == [normalized]
    assert architecture.space.identity() == config.space.identity(), "the network that is retrained is not"


def test_the_accelerated_search_goes_the_same_way(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    found = []
    for accelerated in (True, False):
        data = fast_config.model_dump(mode="json")
        data["space"]["dropout"] = 0.0  # it draws in the order of memory, which differs
        data["search"] |= {"epochs": 2, "epoch_steps": 1}
        data["search"]["options"] = {"accelerated": accelerated}
        config = ExperimentConfig.model_validate(data)
        folder = RunFolder.claim(tmp_path / str(accelerated))
        search(FoldTask.of(config, small_corpus, 0, 1), folder)
        found.append(folder.read_csv("alphas.csv")["alpha"])
    fast, plain = found
    moved = plain.abs().max()
    assert moved > 1e-3
    # Adam divides by the gradient's size: where that is rounding alone, as of the smallest, a step is, too
    assert np.isclose(fast, plain, rtol=9e-3, atol=1e-3 * moved).all()
