"""A finished search whose candidates were trained one by one, as draw, report and tensorboard show it."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.report.drawings.records import read_candidates, read_epochs
from nni_emodarts.report.live.events import _curves
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.run import search

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module", params=["random", "evolution"])
def searched(
    request: pytest.FixtureRequest,
    fast_config: ExperimentConfig,
    small_corpus: Corpus,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    data = fast_config.model_dump()
    data["search"] |= {"strategy": request.param, "options": {"candidates": 2, "epochs": 1}}
    folder = RunFolder.claim(tmp_path_factory.mktemp("search") / "out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)
        search(FoldTask.of(ExperimentConfig.model_validate(data), small_corpus, 0, 1), folder)
    return folder.path


def test_it_is_drawn(searched: Path, tmp_path: Path, emodarts: Command) -> None:
    code, said = emodarts("draw", searched, "--out", tmp_path / "drawn")
    assert code == 0, said
    assert (tmp_path / "drawn" / "search.svg").is_file()


def test_it_is_reported(searched: Path, tmp_path: Path, emodarts: Command) -> None:
    code, said = emodarts("report", searched, "--out", tmp_path / "page.html")
    assert code == 0, said
    assert "2 candidates" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize("kept", [["candidates.csv", "history.csv"], ["candidates.csv"], ["history.csv"]])
def test_its_curve_has_a_point_for_each_candidate(searched: Path, kept: list[str], tmp_path: Path) -> None:
    for name in kept:
        (tmp_path / name).write_bytes((searched / name).read_bytes())
    folder = RunFolder(tmp_path)
    curve = _curves(folder)["figures/val_uar"]
    assert [step for step, _ in curve] == [0, 1]
    reported = pd.read_csv(searched / "candidates.csv")["val_uar"]
    assert [value for _, value in curve] == pytest.approx(reported.tolist())
    assert read_epochs(folder) is None
    found = read_candidates(folder)
    assert found is not None
    assert found["candidate"].tolist() == [0, 1]
