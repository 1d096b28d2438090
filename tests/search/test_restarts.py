"""Several searches of a fold from seeds of their own: the one that is best once it is cut down is taken."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from nni_emodarts import Architecture
from nni_emodarts.benchmark import Method, settings_digest
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError
from nni_emodarts.runtime.run_contents import RunContents
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.restarts import restart_tasks, search_restarts
from nni_emodarts.search.run import search

RESTARTS = 3
SETTINGS = (
    "search.epochs=2", "search.epoch_steps=2", "search.options.warmup_epochs=0", f"search.restarts={RESTARTS}",
    "space.cnn_primitives=[skip_connect,avg_pool_3x3,none]", "space.seqnn_primitives=[skip_connect,lstm_1]",
)  # fmt: skip


@pytest.fixture(scope="module")
def config(small_manifest: Path, fast_words: list[str]) -> ExperimentConfig:
    options = {"data.manifest": str(small_manifest), "data.protocol": "loso"}
    return load_config("tiny", settings=[*fast_words[1::2], *SETTINGS], options=options)


@pytest.fixture(scope="module")
def searched(config: ExperimentConfig, small_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = RunFolder.claim(tmp_path_factory.mktemp("restarts") / "out")
    search(FoldTask.of(config, small_corpus, 0, 5), folder)
    return folder.path


def figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_the_best_once_cut_down_is_taken(searched: Path) -> None:
    each = [figures(searched / f"restart_{number}") for number in range(RESTARTS)]
    top = figures(searched)
    assert len({one["seed"] for one in each}) == RESTARTS
    best = max(range(RESTARTS), key=lambda number: each[number]["discrete_val_uar"])
    taken = searched / f"restart_{best}"
    for name in ("architecture.json", "alphas.csv", "history.csv"):
        assert (searched / name).read_text() == (taken / name).read_text()
    assert top["discrete_val_uar"] == max(one["discrete_val_uar"] for one in each)
    assert [one["discrete_val_uar"] for one in top["restarts"]] == [one["discrete_val_uar"] for one in each]
    assert top["seed"] == 5
    assert top["cpu_seconds"] == pytest.approx(sum(one["cpu_seconds"] for one in each), abs=0.01)
    assert Architecture.load(searched / "architecture.json").origin["seed"] == each[best]["seed"]


def test_the_first_is_the_search_without_others(
    searched: Path, config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    alone = config.model_copy(update={"search": config.search.model_copy(update={"restarts": 1})})
    search(FoldTask.of(alone, small_corpus, 0, 5), RunFolder.claim(tmp_path / "alone"))
    for name in ("architecture.json", "alphas.csv", "history.csv"):
        assert (tmp_path / "alone" / name).read_text() == (searched / "restart_0" / name).read_text()
    assert settings_digest(alone, Method("darts"), "") != settings_digest(config, Method("darts"), "")


def test_one_that_is_cut_off_goes_on_and_finished_ones_are_not_searched_again(
    searched: Path, config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(searched, tmp_path / "copy"))
    for name in ("metrics.json", "architecture.json", "restart_2/metrics.json", "restart_2/architecture.json"):
        (copy / name).unlink()
    begun = (copy / "restart_0" / "metrics.json").stat().st_mtime_ns
    search(FoldTask.of(config, small_corpus, 0, 5), RunFolder.claim(copy, resume=True))
    assert (copy / "restart_0" / "metrics.json").stat().st_mtime_ns == begun
    assert (copy / "architecture.json").read_text() == (searched / "architecture.json").read_text()


def test_what_it_wrote_is_known_as_its_own(searched: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(searched, tmp_path / "copy"))
    (copy / "restart_0" / "mine.txt").write_text("mine")
    RunContents(copy).clear()
    assert [file.name for file in copy.rglob("*") if file.is_file()] == ["mine.txt"]


def test_a_search_without_choices_that_are_cut_down_is_taken_by_its_figure(
    config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    task = FoldTask.of(config, small_corpus, 0, 5)
    scores = iter([0.3, 0.6, 0.6])
    known = {"seconds": 1.0, "cpu_seconds": 2.0}

    def made_up(each: FoldTask, run: RunFolder) -> None:
        run.write_json("architecture.json", {"seed": each.seed})
        run.write_json("metrics.json", {"seed": each.seed, "val_uar": next(scores), **known})

    told = search_restarts(task, RunFolder.claim(tmp_path / "out"), made_up)
    seeds = [each.seed for each in restart_tasks(task)]
    assert json.loads((tmp_path / "out" / "architecture.json").read_text()) == {"seed": seeds[1]}
    assert (told["val_uar"], told["cpu_seconds"], told["seed"]) == (0.6, 6.0, 5)


def test_candidates_are_measured_several_times_otherwise(small_manifest: Path) -> None:
    with pytest.raises(ConfigError, match=r"restarts: 2 supernets, and random trains none.*search\.estimate"):
        load_config("tiny", settings=["search.strategy=random", "search.restarts=2"])
