"""Every strategy chooses by the figure of what is learnt: CCC of dimensions, the mean of UAR and CCC of both."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import recall_score

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.config.strategies import STRATEGIES, of_family
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.headline import HEADLINES
from nni_emodarts.metrics.logits import decode_logits, decode_rows, decode_values
from nni_emodarts.models.architecture import Sample
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.multi_trial import engines, evaluation
from nni_emodarts.search.multi_trial.estimating import read_replicates
from nni_emodarts.search.one_shot import judging, random_one_shot
from nni_emodarts.search.run import search
from nni_emodarts.training.retrain import fitting
from tests.conftest import FAST
from tests.small_networks import SMALL_NETWORKS

OPTIONS: dict[str, dict[str, object]] = {
    "darts": {"cost": {"weight": 0.1}, "sharpening": 1.0},
    "random_one_shot": {"samples": 3},
    "enas": {"samples": 3, "paths_per_update": 2},
}
ONE_SHOT, TRIALS = ([strategy.name for strategy in of_family(family)] for family in ("one-shot", "multi-trial"))


def cases(names: list[str], alone: tuple[str, ...]) -> list[Any]:
    """Each strategy with both, and a few with dimensions alone; without those whose extra is not installed."""
    return [
        pytest.param(name, task, marks=pytest.mark.skipif(not STRATEGIES[name].installed, reason="needs its extra"))
        for name in names
        for task in ("both", *(["dimensions"] if name in alone else []))
    ]


def configured(manifest: Path, task: str, strategy: str, **more: object) -> ExperimentConfig:
    options = {
        "data.manifest": str(manifest), "data.protocol": "kfold:3", "data.task": task, "search.strategy": strategy,
        "retrain.epoch_steps": 1, "search.epoch_steps": 2,
        **{f"space.{name}": value for name, value in SMALL_NETWORKS.items()}, **more,
    }  # fmt: skip
    return load_config("tiny", settings=FAST, options=options)


@pytest.fixture(scope="module")
def corpora(small_manifest: Path) -> dict[str, Corpus]:
    return {task: load_corpus(configured(small_manifest, task, "darts")) for task in ("both", "dimensions")}


@pytest.fixture
def figures(corpora: dict[str, Corpus], monkeypatch: pytest.MonkeyPatch) -> dict[str, list[float]]:
    """By task, the figure of each time that a network answered a part, computed here from what it answered."""
    found: dict[str, list[float]] = {task: [] for task in corpora}

    def watch(predict: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        def watched(model: Any, loader: Any, device: Any, count: int, outputs: Any) -> np.ndarray:
            answers = predict(model, loader, device, count, outputs)
            rows = np.sort(np.concatenate([batch.rows.numpy() for batch in loader]))
            task = "both" if outputs.classes else "dimensions"
            found[task].append(figure(corpora[task], rows, answers))
            return answers

        return watched

    for module in (judging, fitting):
        monkeypatch.setattr(module, "predict", watch(module.predict))
    return found


def figure(corpus: Corpus, rows: np.ndarray, answers: np.ndarray) -> float:
    """Mean of UAR, where there are classes, and of the mean over the dimensions of CCC."""
    count, manifest = len(corpus.manifest.classes), corpus.manifest
    found = []
    for true, said in zip(manifest.values[rows].T, answers[:, count:].T, strict=True):
        (var_true, cov), (_, var_said) = np.cov(true, said, ddof=0)
        found.append(2 * cov / (var_true + var_said + (true.mean() - said.mean()) ** 2))
    if not count:
        return float(np.mean(found))
    recall = recall_score(manifest.labels[rows], answers[:, :count].argmax(1), average="macro", zero_division=0)
    return float((recall + np.mean(found)) / 2)


@pytest.fixture
def paths(figures: dict[str, list[float]], monkeypatch: pytest.MonkeyPatch) -> list[Sample]:
    """The best of the paths that were compared, by the figures above."""
    best: list[Sample] = []
    choose = random_one_shot.best_path

    def watched(samples: Iterator[Sample], *how: Any) -> Sample:
        drawn, before = list(samples), len(figures["both"])
        found = choose(iter(drawn), *how)
        best.append(drawn[int(np.argmax(figures["both"][before:]))])
        return found

    monkeypatch.setattr(random_one_shot, "best_path", watched)
    return best


@pytest.mark.parametrize(("strategy", "task"), cases(ONE_SHOT, ("darts", "proxyless")))
def test_a_supernet_is_measured_by_it(
    strategy: str, task: str, small_manifest: Path, corpora: dict[str, Corpus], figures: dict[str, list[float]],
    paths: list[Sample], tmp_path: Path,
) -> None:  # fmt: skip
    options = OPTIONS.get(strategy, {})
    config = configured(small_manifest, task, strategy, **{"search.options": options})
    folder = RunFolder.claim(tmp_path / "out")
    architecture = search(FoldTask.of(config, corpora[task], 0, 1), folder)
    key, seen, metrics = HEADLINES[task].val, figures[task], folder.read_json("metrics.json")
    probes = 4 if "samples" in options else 1
    assert metrics[key] == pytest.approx(np.mean(seen[:probes]), abs=1e-6)
    assert folder.read_csv("history.csv")[key].iloc[-1] == pytest.approx(metrics[key])
    if paths:
        assert {label: architecture.sample()[label] for label in architecture.sample()} == {
            label: paths[0][label] for label in architecture.sample()
        }
    else:
        assert metrics[f"discrete_{key}"] == pytest.approx(seen[-1], abs=1e-6)
    assert architecture.num_classes == corpora[task].num_outputs


@pytest.mark.parametrize(("strategy", "task"), cases(TRIALS, ("random", "evolution")))
def test_candidates_are_chosen_by_it(
    strategy: str, task: str, small_manifest: Path, corpora: dict[str, Corpus], figures: dict[str, list[float]],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    told: list[float] = []
    event = engines.FinalMetricEvent
    monkeypatch.setattr(engines, "FinalMetricEvent", lambda model, score: told.append(score) or event(model, score))
    monkeypatch.setattr(nni_trial, "in_trial", lambda: True)  # so that candidates are trained in this process
    config = configured(
        small_manifest, task, strategy, **{"search.options": {"candidates": 4, "concurrency": 1, "epochs": 1}}
    )
    folder = RunFolder.claim(tmp_path / "out")
    architecture = search(FoldTask.of(config, corpora[task], 0, 1), folder)
    key, table = HEADLINES[task].val, folder.read_csv("candidates.csv")
    assert told == pytest.approx(figures[task], abs=1e-6), "what the strategy learns from"
    np.testing.assert_allclose(table[key], figures[task], atol=1e-6)
    assert architecture.id == table["id"][int(np.argmax(figures[task]))]
    assert folder.read_json("metrics.json")[key] == pytest.approx(max(figures[task]), abs=1e-6)
    if task == "both":
        assert not np.allclose(table[key], table["val_uar"])


def answered(folder: RunFolder) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows that validated a candidate's trainings, and what each answered: what its folder holds of them."""
    for each in read_replicates(folder):
        values = decode_values(each.values or "")
        logits = decode_logits(each.logits) if each.logits else np.empty((len(values), 0))
        yield decode_rows(each.rows), np.concatenate([logits, values], 1)


@pytest.mark.parametrize(
    ("task", "halving", "after"), [("both", False, 3), ("both", True, 5), ("dimensions", False, 2)]
)
def test_estimates_are_means_of_it_over_all_trainings(
    task: str, halving: bool, after: int, small_manifest: Path, corpora: dict[str, Corpus], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also where the search is killed behind so many trainings and goes on."""
    monkeypatch.setattr(nni_trial, "in_trial", lambda: True)
    how = {"folds": 2, "halving": halving}
    options = {"candidates": 4, "concurrency": 1, "epochs": 1, "startup": 2}
    config = configured(
        small_manifest,
        task,
        "predictor",
        **{"search.options": options, "search.estimate": how, "retrain.epoch_steps": 4},
    )
    made, train = 0, evaluation.train

    def train_or_die(*given: Any, **more: Any) -> Any:
        nonlocal made
        made += 1
        if made == after:
            raise KeyboardInterrupt
        return train(*given, **more)

    monkeypatch.setattr(evaluation, "train", train_or_die)
    folder, fold = RunFolder(tmp_path / "out"), FoldTask.of(config, corpora[task], 0, 1)
    with pytest.raises(KeyboardInterrupt):
        search(fold, folder)
    architecture = search(fold, folder)
    table = folder.read_csv("candidates.csv").set_index("id")
    assert made == table["replicates"].sum() + 1, "no training is made twice, but the one that was killed"
    key, metrics = HEADLINES[task].val, folder.read_json("metrics.json")
    for name in table.index:
        known = [figure(corpora[task], *each) for each in answered(folder.child("candidates", name))]
        assert table[key][name] == pytest.approx(np.mean(known), abs=1e-4)
    racing = table[table["replicates"] == 2]
    assert metrics["estimate"]["best"] == racing[key].idxmax()
    assert metrics[key] == pytest.approx(table[key][architecture.id])
    assert architecture.id in metrics["estimate"]["tied"]


def test_a_limit_holds_for_networks_of_all_outputs(
    small_manifest: Path, corpora: dict[str, Corpus], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the parameter: a bound that a candidate has keeps it, and one below does not."""
    monkeypatch.setattr(nni_trial, "in_trial", lambda: True)

    def searched(name: str, more: dict[str, object]) -> RunFolder:
        options = {"candidates": 3, "concurrency": 1, "epochs": 1, **more}
        folder = RunFolder.claim(tmp_path / name)
        config = configured(small_manifest, "both", "random", **{"search.options": options})
        search(FoldTask.of(config, corpora["both"], 0, 1), folder)
        return folder

    drawn = searched("free", {}).read_csv("candidates.csv").sort_values("parameters")
    few, some = drawn["parameters"].iloc[:2]
    for limit, kept in ((some, True), (some - 1, False)):
        found = searched(f"{limit}", {"max_cost": {"metric": "parameters", "limit": int(limit)}})
        table = found.read_csv("candidates.csv")
        assert few <= table["parameters"].max() <= limit
        assert (drawn["id"].iloc[1] in set(table["id"])) == kept
        assert found.read_json("metrics.json")["rejected"] > 0
