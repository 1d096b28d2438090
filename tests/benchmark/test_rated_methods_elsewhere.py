"""Benchmarks of what learns dimensions, whose cells are scored on further corpora, too."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_ratings import RATED, rescaled, without

from nni_emodarts.benchmark.probe import measure_probe
from nni_emodarts.benchmark.run import cell_table, run_benchmark
from nni_emodarts.config import ExperimentConfig, PretrainedStream, load_config
from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.other_corpora import LabelChoice, Terms
from nni_emodarts.deploy.scoring import run_score
from nni_emodarts.errors import RunFolderError
from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.models.baselines.probe import PROBES
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain.elsewhere import Asked, Elsewhere


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("other") / "foreign", speakers=3, utterances=1, seed=7)


@pytest.fixture(scope="module")
def five(other: Path) -> Path:
    return rescaled(other, "five", 1, 5)


def config_of(manifest: Path, task: str) -> ExperimentConfig:
    options = {"data.manifest": str(manifest), "data.protocol": "kfold:3", "data.task": task}
    return load_config("tiny", settings=("retrain.epochs=1", "retrain.batch_size=8"), options=options)


@pytest.mark.parametrize(
    ("task", "methods"),
    [("dimensions", ["random_sampling", "egemaps_ridge", "egemaps_svm"]), ("both", ["egemaps_svm"])],
)
def test_each_cell_is_scored_on_further_corpora(
    no_smile: None, small_manifest: Path, other: Path, five: Path, tmp_path: Path, task: str, methods: list[str]
) -> None:
    places = {"out": tmp_path / "out", "runs": tmp_path / "runs", "folds": [0, 1]}
    less = without(other, "less", ["valence"])
    asked, computed = Asked((str(other), str(five), str(less))), []

    def run(asked: Asked) -> dict[str, object]:
        tell = lambda number, count, cell: computed.append(cell.method)  # noqa: E731
        summary, _ = run_benchmark("b", config_of(small_manifest, task), methods, asked=asked, tell=tell, **places)
        return {method.name: method for method in summary.rated or ()}

    found = run(asked)
    for name in methods:
        figures = found[name].other_corpora
        one, moved = figures["foreign"], figures["five"]
        assert (one["networks"], one["utterances"], one["speakers"]) == (2, 12, 3)
        assert ("test_uar" in one) == (task == "both")
        tables = [pd.read_csv(file) for file in sorted((tmp_path / "runs/b" / name).rglob("other_corpora.csv"))]
        assert len(tables) == 2
        for dimension in RATED:
            reached = [
                ccc(rows[dimension], rows[f"predicted_{dimension}"])
                for rows in (table[table["corpus"] == "five"] for table in tables)
            ]
            assert moved[f"test_ccc_{dimension}"] == pytest.approx(np.mean(reached))
            assert one[f"test_ccc_{dimension}"] == pytest.approx(np.mean(reached), abs=1e-5)
        assert moved["test_mae"] == pytest.approx(one["test_mae"] * 4 / 6, abs=1e-5)
        assert (one["scale"], moved["scale"]) == ([1, 7], [1, 5])
        assert figures["less"]["dimensions"] == ["arousal", "dominance"]
    for folder in (path.parent for path in (tmp_path / "runs").rglob("weights.safetensors")):
        own = json.loads((folder / "metrics.json").read_text())["other_corpora"]["five"]
        assert run_score(folder, [five]).corpora["five"]["test_ccc"] == pytest.approx(own["test_ccc"], abs=1e-5)
    held = cell_table(tmp_path / "out", "b").read().cells.values()
    assert all(len(cell.other_moments["less"]) == 3 for cell in held)
    assert all((cell.other_corpora is not None) == (task == "both") for cell in held)
    count = len(computed)
    assert run(asked).keys() == found.keys()
    assert len(computed) == count  # nothing is computed twice
    without(other, "less", ["valence", "scale"])
    with pytest.raises(RunFolderError, match=r"was scored on less on 1\.\.7"):
        run(Asked(asked.manifests, LabelChoice(scale=(0, 9))))
    assert run(asked).keys() == found.keys()  # taken to be on the scale of the training, as it was before
    with pytest.raises(RunFolderError, match="was not scored on silent"):
        run(Asked((str(without(other, "silent", ["scale"])),)))


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("name", ["linear_probe", "svr_probe"])
def test_probes_answer_on_the_scale_of_the_other_corpus(
    small_manifest: Path, other: Path, five: Path, tmp_path: Path, name: str, scale: bool
) -> None:
    """Halves of a log-mel map stand for two levels; without a scale, answers stay in the training's unit."""
    manifest = small_manifest if scale else without(small_manifest, "silent_small", ["scale"])
    plain = config_of(manifest, "dimensions")
    corpus = load_corpus(plain)
    paths = [other, five] if scale else [without(other, "bare", ["scale"])]
    further = Asked(tuple(map(str, paths))).load(plain, Terms.of(corpus.manifest))
    shape = {"input_shape": (2, 20), "pretrained": True}
    stream = PretrainedStream(name="made_up", model="nowhere", levels=(0, 3))
    features = plain.features.model_copy(update={"streams": (stream,)})
    task = FoldTask.of(plain.model_copy(update={"features": features}), replace(corpus, **shape), 1, 1)
    elsewhere = Elsewhere(tuple((key, replace(each, **shape)) for key, each in further.corpora))
    metrics = measure_probe(task, PROBES[name], RunFolder.claim(tmp_path / "out"), elsewhere=elsewhere)
    table = pd.read_csv(tmp_path / "out" / "other_corpora.csv")
    answered = table[[f"predicted_{each}" for each in RATED]].to_numpy()
    figures = metrics["other_corpora"]
    if scale:
        half = len(table) // 2
        np.testing.assert_allclose(answered[half:], 1 + (answered[:half] - 1) * 4 / 6, atol=1e-6)
        assert figures["five"]["test_ccc"] == pytest.approx(figures["foreign"]["test_ccc"], abs=1e-5)
        return
    low, high = task.outputs.low, task.outputs.high
    assert (answered >= np.array(low) - 1e-9).all()
    assert (answered <= np.array(high) + 1e-9).all()
    assert figures["bare"]["test_ccc_arousal"] == pytest.approx(ccc(table["arousal"], table["predicted_arousal"]))


def test_the_command_shows_each_corpus_and_method(
    emodarts: Callable[..., tuple[int, str]], no_smile: None, small_manifest: Path, five: Path, tmp_path: Path
) -> None:
    words = ["benchmark", "--manifest", small_manifest, "--preset", "tiny", "--protocol", "kfold:3", "--folds", "0"]
    words += ["--set", "data.task=dimensions", "--methods", "egemaps_ridge", "--name", "small"]
    bare = without(five, "bare_five", ["scale"])
    places = ["--out", tmp_path / "out", "--runs", tmp_path / "runs"]
    code, said = emodarts(*words, *places, "--test-manifest", bare, "--test-scale", "1..5")
    assert code == 0, said
    for word in ("bare_five, egemaps_ridge", "CCC", "MAE", "taken to be on 1..5 (--scale)"):
        assert word in said
