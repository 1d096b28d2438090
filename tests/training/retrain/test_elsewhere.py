"""Networks that are scored on other corpora as they are trained, and that are trained on several."""

import json
from pathlib import Path

import pandas as pd
import pytest
from foreign_corpus import foreign_corpus
from typer.testing import CliRunner

from nni_emodarts.cli.main import app
from nni_emodarts.config import ExperimentConfig, lay_over
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.other_corpora import LabelChoice
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import model_card
from nni_emodarts.deploy.scoring import run_score
from nni_emodarts.errors import ManifestError, OverlapError, RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.page import render
from nni_emodarts.report.runs import read_runs
from nni_emodarts.training.retrain import run_retrain
from nni_emodarts.training.retrain.elsewhere import Asked


@pytest.fixture(scope="module")
def drawn(fast_config: ExperimentConfig, small_corpus: Corpus) -> Architecture:
    return random_architecture(fast_config.space, small_corpus.num_classes, small_corpus.input_shape, 0)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other voices, of the same names; of one emotion another word is used."""
    return foreign_corpus(tmp_path_factory.mktemp("other") / "foreign", 4)


def test_figures_are_those_of_scoring_the_finished_run(
    fast_config: ExperimentConfig, drawn: Architecture, other: Path, small_manifest: Path, tmp_path: Path
) -> None:
    choice = LabelChoice({"rage": "anger"})
    with pytest.raises(ManifestError, match="rage"):
        run_retrain(fast_config, drawn, tmp_path / "out", folds=[0, 3], asked=Asked((str(other),)))
    with pytest.raises(OverlapError, match="shares"):
        run_retrain(fast_config, drawn, tmp_path / "out", folds=[0, 3], asked=Asked((str(small_manifest),)))
    assert not (tmp_path / "out" / "metrics.json").exists()
    done = run_retrain(
        fast_config, drawn, tmp_path / "out", folds=[0, 3], asked=Asked((str(other),), choice), overwrite=True
    )
    found = done.pooled["other_corpora"]
    assert found == run_score(tmp_path / "out", [other], choice=choice).corpora
    assert found["foreign"]["networks"] == 2
    cell = json.loads((tmp_path / "out/fold_03/seed_1/metrics.json").read_text())
    assert cell["other_corpora"] == run_score(tmp_path / "out", [other], choice=choice, fold=3).corpora
    assert "On another corpus, foreign" in model_card(open_network(tmp_path / "out", fold=3))
    assert "On other corpora" in render(read_runs([str(tmp_path / "out")]))
    table = pd.read_csv(tmp_path / "out" / "other_corpora.csv")
    assert table.groupby(["corpus", "fold"]).size().tolist() == [16, 16]
    with pytest.raises(RunFolderError, match="was not scored on small; leave --test-manifest out"):
        # the speakers are shared, but the run is finished: that is what is said
        run_retrain(
            fast_config, drawn, tmp_path / "out", folds=[0, 3], asked=Asked((str(small_manifest),)), resume=True,
            allow_overlap=True,
        )  # fmt: skip


def test_two_corpora_are_trained_on_together_and_one_is_left_out(
    fast_config: ExperimentConfig, drawn: Architecture, other: Path, small_manifest: Path, tmp_path: Path
) -> None:
    settings = ["data.protocol=loco", "data.merge={rage: anger}"]
    config = lay_over(fast_config, [f'data.manifest="{small_manifest},{other}"', *settings])
    done = run_retrain(config, drawn, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "predictions.csv", dtype={"speaker": str})
    tested = {fold: set(rows["speaker"].str.split("/").str[0]) for fold, rows in table.groupby("fold")}
    assert tested == {0: {"foreign"}, 1: {"small"}}
    assert len(table) == 48 + 16
    assert set(done.pooled["folds"]) == {0, 1}
    again = lay_over(fast_config, [f'data.manifest="{other},{small_manifest}"', *settings])
    assert run_retrain(again, drawn, tmp_path / "out", resume=True).pooled["test_uar"] == done.pooled["test_uar"]
    with pytest.raises(RunFolderError, match=r"data\.classes"):
        run_retrain(lay_over(again, ["data.classes=union"]), drawn, tmp_path / "out", resume=True)


def test_the_command_takes_further_corpora(
    fast_config: ExperimentConfig, drawn: Architecture, other: Path, tmp_path: Path
) -> None:
    (tmp_path / "arch").mkdir()
    (tmp_path / "arch" / "architecture.json").write_text(json.dumps(drawn.to_dict()))
    (tmp_path / "arch" / "config.yml").write_text(fast_config.to_yaml())
    words = ["retrain", "--architecture", str(tmp_path / "arch"), "--out", str(tmp_path / "out"), "--folds", "0"]
    done = CliRunner().invoke(app, [*words, "--test-manifest", str(other), "--test-leave-out", "rage"])
    assert done.exit_code == 0, done.output
    assert "Other corpora" in done.output
    assert "foreign: true class by row" in done.output
