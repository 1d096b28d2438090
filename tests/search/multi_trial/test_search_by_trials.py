"""Searches whose candidates are trained one by one: in this process, and as real trials of a real experiment."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import requests
from process_groups import wait_until

from nni_emodarts import Architecture
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.config.strategy_options import TpeOptions
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import FeatureStore
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ConfigError, ExperimentError, RunFolderError
from nni_emodarts.nni_bridge.manager import Manager
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.multi_trial import evaluation, search_by_trials
from nni_emodarts.search.multi_trial.estimating import Once
from nni_emodarts.search.multi_trial.folder import SearchFolder
from nni_emodarts.search.run import search


def configured(config: ExperimentConfig, strategy: str = "random", **options: Any) -> ExperimentConfig:
    """The fast configuration with another strategy."""
    data = config.model_dump()
    data["search"] |= {"strategy": strategy, "options": {"candidates": 3, "epochs": 1, **options}}
    return ExperimentConfig.model_validate(data)


@pytest.fixture
def inside_a_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Candidates are trained in this process, as inside a trial."""
    monkeypatch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)


@pytest.fixture(scope="module")
def read_rows() -> set[int]:
    return set()


@pytest.fixture(scope="module")
def searched(
    fast_config: ExperimentConfig, small_corpus: Corpus, read_rows: set[int], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A search by evolution that notes every utterance that it reads."""
    read = FeatureStore.__getitem__

    def noting(store: FeatureStore, row: int) -> np.ndarray:
        read_rows.add(int(row))
        return read(store, row)

    folder = RunFolder.claim(tmp_path_factory.mktemp("search") / "out")
    reports: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)
        patch.setattr(FeatureStore, "__getitem__", noting)
        config = configured(fast_config, "evolution", population_size=2)
        search(FoldTask.of(config, small_corpus, 2, 1), folder, report=reports.append)
    assert reports == pytest.approx(pd.read_csv(folder.path / "candidates.csv")["val_uar"].tolist(), abs=1e-6)
    return folder.path


def test_no_test_utterance_is_read(searched: Path, read_rows: set[int], small_corpus: Corpus) -> None:
    fold = small_corpus.fold(2)
    assert read_rows == set(fold.train.tolist()) | set(fold.validation.tolist())


def test_what_a_search_leaves(searched: Path, small_corpus: Corpus) -> None:
    assert {path.name for path in searched.iterdir()} == {
        "config.yml", "architecture.json", "candidates.csv", "candidates", "history.csv", "metrics.json",
        "environment.json", "corpus.json", "files.txt",
    }  # fmt: skip
    table = pd.read_csv(searched / "candidates.csv", dtype=str, keep_default_na=False)
    metrics = json.loads((searched / "metrics.json").read_text())
    best = table.loc[table["val_uar"].astype(float).idxmax()]
    assert len(table) == table["id"].nunique() == metrics["candidates"] == 3
    architecture = Architecture.load(searched / "architecture.json")
    assert architecture.id == best["id"] == metrics["architecture"]
    assert metrics["val_uar"] == pytest.approx(float(best["val_uar"]), abs=1e-6)
    for _, row in table.iterrows():
        held = json.loads((searched / "candidates" / row["id"] / "metrics.json").read_text())
        assert held["val_uar"] == pytest.approx(float(row["val_uar"]), abs=1e-6)
        assert held["parameters"] == int(row["parameters"])
        chosen = {label: choice for label, choice in row.iloc[6:].items() if choice}
        made = Architecture.from_choices(architecture.space, chosen, 4, (1, 40))
        assert made.id == row["id"] == Architecture.load(searched / "candidates" / row["id"] / "architecture.json").id
    origin = architecture.origin
    test_speakers = small_corpus.speakers(small_corpus.fold(2).test)
    assert set(origin["speakers"]) == {"01", "02", "03", "04", "05", "06"} - set(test_speakers)
    assert (origin["strategy"], origin["seed"], origin["fold"], origin["epochs"]) == ("evolution", 1, 2, 1)
    assert load_config(file=searched / "config.yml").search.strategy == "evolution"


@pytest.mark.usefixtures("inside_a_trial")
def test_a_search_that_goes_on(searched: Path, small_corpus: Corpus, tmp_path: Path) -> None:
    """Finished candidates are not trained again, and the whole ends as if it had never stopped."""
    config = load_config(file=searched / "config.yml")
    out = tmp_path / "out"
    table = pd.read_csv(searched / "candidates.csv")
    for name in ("config.yml", "candidates/search.json", *(f"candidates/{table['id'][0]}/{file}" for file in
                 ("architecture.json", "metrics.json", "history.csv"))):  # fmt: skip
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes((searched / name).read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        trained: list[str] = []
        train = evaluation.train

        def noting(*given: Any, **more: Any) -> Any:
            trained.append(given[1].id)
            return train(*given, **more)

        patch.setattr(evaluation, "train", noting)
        search(FoldTask.of(config, small_corpus, 2, 1), RunFolder(out))
    assert trained == table["id"].tolist()[1:]
    again = pd.read_csv(out / "candidates.csv")
    pd.testing.assert_frame_equal(again.drop(columns="seconds"), table.drop(columns="seconds"))
    # Killed after the last candidate: the order of the search, in which the earlier of equals wins, is still known.
    kept = SearchFolder(RunFolder(out)).finished(Once(FoldTask.of(config, small_corpus, 2, 1)))
    assert list(kept) == table["id"].tolist()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "train", None)
        found = search(FoldTask.of(config, small_corpus, 2, 1), RunFolder(out))
    assert found.id == Architecture.load(searched / "architecture.json").id
    for fold, seed, says in ((1, 1, "another fold"), (2, 5, "another seed")):
        with pytest.raises(RunFolderError, match=says):
            search(FoldTask.of(config, small_corpus, fold, seed), RunFolder(out))
    with pytest.raises(RunFolderError, match="other settings"):
        search(FoldTask.of(configured(config, "evolution", candidates=4), small_corpus, 2, 1), RunFolder(out))


@pytest.mark.usefixtures("inside_a_trial")
def test_failed_candidates_are_noted(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, count = evaluation.train, iter(range(10))

    def failing(*given: Any, **more: Any) -> Any:
        if next(count) == 0:
            sum(range(3_000_000))  # costs something
            raise RuntimeError("planted")
        return train(*given, **more)

    monkeypatch.setattr(evaluation, "train", failing)
    folder = RunFolder.claim(tmp_path / "some")
    search(FoldTask.of(configured(fast_config, candidates=2), small_corpus, 0, 1), folder)
    table = pd.read_csv(folder.path / "candidates.csv")
    assert table["status"].tolist() == ["failed", "trained"]
    assert "planted" in (folder.path / "candidates" / table["id"][0] / "error.txt").read_text()
    metrics = folder.read_json("metrics.json")
    assert metrics["failed"] == 1
    files = [
        folder.path / "candidates" / name
        for name in (f"{table['id'][0]}/failure.json", f"{table['id'][1]}/metrics.json")
    ]
    costs = [json.loads(file.read_text()) for file in files]
    assert metrics["candidate_cpu_seconds"] == pytest.approx(sum(cost["cpu_seconds"] for cost in costs), abs=0.002)
    assert table["seconds"].tolist() == [cost["seconds"] for cost in costs]
    assert costs[0]["cpu_seconds"] > 0
    monkeypatch.setattr(evaluation, "train", None)
    folder = RunFolder.claim(tmp_path / "all")
    with pytest.raises(ExperimentError, match=r"all 2 candidates failed.*--resume(.|\n)*NoneType"):
        search(FoldTask.of(configured(fast_config, candidates=2), small_corpus, 0, 1), folder)
    assert not folder.has("metrics.json")


@pytest.mark.usefixtures("inside_a_trial")
def test_no_candidate_is_accepted(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path) -> None:
    folder = RunFolder.claim(tmp_path / "out")
    with pytest.raises(ConfigError, match=r"none of 1000 candidates in a row.*max_cost"):
        search_by_trials(
            FoldTask.of(configured(fast_config), small_corpus, 0, 1), folder, accepts=lambda architecture: False
        )
    assert not list(folder.path.glob("candidates/*/"))


def command(manifest: Path, out: Path, *more: str) -> list[str]:
    words = ["search", "--manifest", manifest, "--preset", "tiny", "--protocol", "kfold:3", "--out", out]
    settings = ["search.options.epochs=1", "retrain.batch_size=8", "retrain.epoch_steps=2"]
    sets = [word for setting in settings for word in ("--set", setting)]
    return [sys.executable, "-m", "nni_emodarts", *map(str, words), *sets, *more]


def read_database(home: Path, name: str) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, float]]]:
    """Parameters and final figure of each trial, by id, as NNI's manager has booked them."""
    with sqlite3.connect(home / "nni-experiments" / name / "db" / "nni.sqlite") as database:
        rows = database.execute("SELECT trialJobId, data FROM TrialJobEvent WHERE event = 'RUNNING'").fetchall()
        parameters = {trial: json.loads(data)["parameters"] for trial, data in rows}
        rows = database.execute("SELECT trialJobId, data FROM MetricData WHERE type = 'FINAL'").fetchall()
        figures = {trial: json.loads(json.loads(data)) for trial, data in rows}
    database.close()
    return parameters, figures


@pytest.mark.slow
def test_candidates_are_real_trials(small_manifest: Path, home: Path, tmp_path: Path) -> None:
    """Each candidate's figure stands with its own choices: on disk, in the table, and in NNI's rows."""
    out = tmp_path / "out"
    done = subprocess.run(
        command(small_manifest, out, "--strategy", "random", "--set", "search.options.candidates=2", "--resume"),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "nothing to go on with: the search starts over" in done.stderr
    assert "best candidate" in done.stdout
    table = pd.read_csv(out / "candidates.csv").set_index("id")
    space = Architecture.load(out / "architecture.json").space
    ((name, port),) = json.loads((out / "candidates" / "search.json").read_text())["experiments"]
    parameters, figures = read_database(home, name)
    assert len(parameters) == len(figures) == len(table) == 2
    for trial, flat in parameters.items():
        booked = Architecture.from_choices(space, flat, 4, (1, 40))
        held = json.loads((out / "candidates" / booked.id / "metrics.json").read_text())
        assert held["choices"] == booked.sample(), "what was trained is what NNI's row shows"
        shown = home / "nni-experiments" / name / "environments/local-env/trials" / trial
        kept = Architecture.load(out / "candidates" / booked.id / "architecture.json")
        assert Architecture.load(shown / "architecture.json").to_dict() == kept.to_dict(), "both know whom it heard"
        assert figures[trial]["default"] == held["val_uar"] == pytest.approx(table["val_uar"][booked.id], abs=1e-6)
    with pytest.raises(requests.RequestException):
        Manager(port).status()


def _answers(manager: Manager) -> bool:
    try:
        return bool(manager.status())
    except requests.RequestException:
        return False


@pytest.mark.slow
def test_a_killed_search_goes_on(
    small_manifest: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL to the whole group when one candidate has finished; NNI's manager, in a group of its own, ends by itself.

    A proxy of the environment, which knows nothing of this machine, does not matter.
    """
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    out = tmp_path / "out"
    words = command(small_manifest, out, "--strategy", "random", "--set", "search.options.candidates=2",
                    "--set", "search.options.concurrency=1")  # fmt: skip
    began = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not (finished := list(out.glob("candidates/*/metrics.json"))):
        assert time.monotonic() < until
        assert began.poll() is None
        time.sleep(0.1)
    os.killpg(began.pid, signal.SIGKILL)
    began.wait()
    state = json.loads((out / "candidates" / "search.json").read_text())
    left = Manager(state["experiments"][0][1])
    wait_until(lambda: not _answers(left), 15)
    times = {file: file.stat().st_mtime_ns for file in finished}
    done = subprocess.run([*words, "--resume"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for file, written in times.items():
        assert file.stat().st_mtime_ns == written, "a finished candidate is not trained again"
    assert len(pd.read_csv(out / "candidates.csv")) == 2
    second = json.loads((out / "candidates" / "search.json").read_text())["experiments"][1][0]
    assert len(read_database(home, second)[0]) == 2 - len(finished) == 1


@pytest.mark.slow
def test_a_search_whose_manager_dies_says_so_in_one_sentence(small_manifest: Path, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = command(small_manifest, out, "--strategy", "random", "--set", "search.options.epochs=5000")
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    searching = psutil.Process(process.pid)
    try:
        wait_until(lambda: _started_by(searching, "trials.candidate"), 120)
        (manager,), trials = _started_by(searching, "main.js"), _started_by(searching, "trials.candidate")
        manager.kill()
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 2, said
    assert "Traceback" not in said
    assert "was stopped or is gone (it does not answer); the candidates that have finished are kept" in said
    wait_until(lambda: not any(trial.is_running() for trial in trials), 5)


def _started_by(process: psutil.Process, words: str) -> list[psutil.Process]:
    found = []
    for each in process.children(recursive=True):
        with suppress(psutil.Error):  # it has ended
            found += [each] if words in " ".join(each.cmdline()) else []
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # NNI's socket
def test_failing_trials_show_their_log(
    fast_config: ExperimentConfig, small_corpus: Corpus, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = "echo planted >&2; exit 3"
    monkeypatch.setattr("nni_emodarts.search.multi_trial.search.trial_command", lambda *given: planted)
    folder = RunFolder.claim(tmp_path / "out")
    with pytest.raises(ExperimentError, match=r"all 2 candidates failed(.|\n)*trial\.stderr:\nplanted"):
        search(FoldTask.of(configured(fast_config, candidates=2), small_corpus, 0, 1), folder)
    (_, port) = json.loads((folder.path / "candidates" / "search.json").read_text())["experiments"][0]
    with pytest.raises(requests.RequestException):
        Manager(port).status()


@pytest.mark.usefixtures("inside_a_trial")
def test_tpe_of_few_candidates(fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path) -> None:
    """It compares good candidates with others, and so begins with two."""
    folder = RunFolder.claim(tmp_path / "out")
    search(FoldTask.of(configured(fast_config, "tpe"), small_corpus, 0, 1), folder)
    assert folder.read_json("metrics.json")["candidates"] == 3
    assert TpeOptions(candidates=2).random_start == TpeOptions(candidates=3).random_start == 2
    with pytest.raises(ValueError, match=r"startup\n.*greater than or equal to 2"):
        TpeOptions(candidates=3, startup=1)


@pytest.mark.usefixtures("inside_a_trial")
def test_a_machine_at_its_limits_is_one_message(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    def full(*given: Any, **more: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "out")

    monkeypatch.setattr(evaluation, "train", full)
    folder = RunFolder.claim(tmp_path / "all")
    with pytest.raises(ExperimentError, match=r"all 2 candidates failed(.|\n)*out: No space left on device; free some"):
        search(FoldTask.of(configured(fast_config, candidates=2), small_corpus, 0, 1), folder)
    assert "Traceback" not in caplog.text


def test_a_home_that_nni_cannot_write_to(
    fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    folder = RunFolder.claim(tmp_path / "out")
    with pytest.raises(ExperimentError, match=r"cannot be written to here \(Not a directory\); set HOME"):
        search(FoldTask.of(configured(fast_config), small_corpus, 0, 1), folder)
    assert not list(folder.path.iterdir())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"strategy": "grid", "shuffle": False}, "shuffle=true"),
        ({"max_cost": {"limit": 10}}, "below the cheapest network"),
    ],
)
def test_a_refused_search_leaves_nothing(
    options: dict[str, Any], says: str, fast_config: ExperimentConfig, small_corpus: Corpus, tmp_path: Path
) -> None:
    folder = RunFolder.claim(tmp_path / "out")
    with pytest.raises(ConfigError, match=says):
        search(FoldTask.of(configured(fast_config, **options), small_corpus, 0, 1), folder)
    assert not list(folder.path.iterdir())


def test_overwriting_a_search_removes_its_candidates(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.child("candidates", "0123").write_text("metrics.json", "{}")
    folder.write_text("candidates.csv", "id\n")
    folder.write_text("mine.txt", "stays")
    RunFolder.claim(tmp_path, overwrite=True).begin()
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
