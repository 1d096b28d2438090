"""Networks that answer in dimensions, on other corpora, as they are trained and when they are finished."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_ratings import RATED, rescaled, without
from typer.testing import CliRunner

from nni_emodarts import EmotionRecognizer
from nni_emodarts.cli.main import app
from nni_emodarts.config import ExperimentConfig, lay_over, load_config
from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.other_corpora import LabelChoice
from nni_emodarts.deploy.folder import open_network
from nni_emodarts.deploy.model_card import model_card
from nni_emodarts.deploy.scoring import run_score
from nni_emodarts.errors import ManifestError, OverlapError, RunFolderError
from nni_emodarts.metrics.dimensions import ccc
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space import random_architecture
from nni_emodarts.report.page import render
from nni_emodarts.report.runs import read_runs
from nni_emodarts.training.retrain import run_retrain
from nni_emodarts.training.retrain.elsewhere import Asked

FAST = ("retrain.epochs=2", "retrain.batch_size=8")


@pytest.fixture(scope="module", params=["dimensions", "both"])
def config(request: pytest.FixtureRequest, small_manifest: Path) -> ExperimentConfig:
    options = {"data.manifest": str(small_manifest), "data.protocol": "kfold:3", "data.task": request.param}
    return load_config("tiny", settings=FAST, options=options)


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three other voices, of the same names."""
    return make_corpus(tmp_path_factory.mktemp("other") / "foreign", speakers=3, utterances=2, seed=7)


@pytest.fixture(scope="module")
def five(other: Path) -> Path:
    return rescaled(other, "five", 1, 5)


@pytest.fixture(scope="module")
def run(config: ExperimentConfig, other: Path, five: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere") / "run"
    less = without(other, "less", ["valence"])
    run_retrain(config, drawn(config), folder, folds=[0, 2], asked=Asked((str(other), str(five), str(less))))
    return folder


def drawn(config: ExperimentConfig) -> Architecture:
    corpus = load_corpus(config)
    return random_architecture(config.space, corpus.num_outputs, corpus.shapes, 0)


def test_a_corpus_on_another_scale_has_the_same_ccc(run: Path, config: ExperimentConfig) -> None:
    found = json.loads((run / "metrics.json").read_text())["other_corpora"]
    one, moved = found["foreign"], found["five"]
    for name in ("", *(f"_{each}" for each in RATED)):
        assert moved[f"test_ccc{name}"] == pytest.approx(one[f"test_ccc{name}"], abs=1e-6)
        assert moved[f"test_pearson{name}"] == pytest.approx(one[f"test_pearson{name}"], abs=1e-6)
        assert moved[f"test_mae{name}"] == pytest.approx(one[f"test_mae{name}"] * 4 / 6, abs=1e-6)
    assert (one["scale"], moved["scale"]) == ([1, 7], [1, 5])
    np.testing.assert_allclose(moved["test_ccc_interval"], one["test_ccc_interval"], atol=1e-6)
    assert one["networks"] == 2
    assert (one["utterances"], one["speakers"]) == (24, 3)
    assert ("test_uar" in one) == ("test_uar_ccc" in one) == config.data.learns_classes
    if config.data.learns_classes:
        assert moved["confusion"] == one["confusion"]


def test_figures_are_of_the_answers_and_of_those_alone_that_are_rated(run: Path) -> None:
    found = json.loads((run / "metrics.json").read_text())["other_corpora"]
    table = pd.read_csv(run / "other_corpora.csv")
    for name in ("foreign", "five"):
        parts = [rows for _, rows in table[table["corpus"] == name].groupby("fold")]
        for dimension in RATED:
            reached = [ccc(rows[dimension], rows[f"predicted_{dimension}"]) for rows in parts]
            assert found[name][f"test_ccc_{dimension}"] == pytest.approx(np.mean(reached))
    assert table.loc[table["corpus"] == "five", list(RATED)].max().max() <= 5
    less, whole = found["less"], found["foreign"]
    assert less["dimensions"] == ["arousal", "dominance"]
    assert less["test_ccc_arousal"] == whole["test_ccc_arousal"]
    assert less["test_ccc"] == pytest.approx((whole["test_ccc_arousal"] + whole["test_ccc_dominance"]) / 2)
    assert "test_ccc_valence" not in less


def test_a_finished_run_is_scored_alike(run: Path, other: Path, five: Path, tmp_path: Path) -> None:
    found = json.loads((run / "metrics.json").read_text())["other_corpora"]
    notes: list[str] = []
    scored = run_score(run, [other, five], out=tmp_path / "out", note=notes.append)
    for name in ("foreign", "five"):
        assert scored.corpora[name].keys() == found[name].keys()
        for key, value in found[name].items():
            exact = key in ("confusion", "dimensions", "rated")
            assert scored.corpora[name][key] == (value if exact else pytest.approx(value, abs=1e-5)), key
    assert any("five: answers are brought linearly from 1..7 to 1..5" in note for note in notes)
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["corpora"] == scored.corpora
    table = scored.predictions[lambda rows: rows["fold"] == 0]
    recogniser = EmotionRecognizer.from_run(run, fold=0)
    for name, scale in (("foreign", 7), ("five", 5)):
        row = table[table["corpus"] == name].iloc[3]
        answer = recogniser.predict(other.parent / row["file"])
        for dimension in RATED:
            moved = 1 + (answer.dimensions[dimension] - 1) * (scale - 1) / 6
            assert row[f"predicted_{dimension}"] == pytest.approx(moved, abs=2e-3)


def test_card_and_report_show_each_corpus(run: Path, config: ExperimentConfig) -> None:
    figures = json.loads((run / "fold_00/seed_1/metrics.json").read_text())["other_corpora"]["five"]
    card = model_card(open_network(run, fold=0))
    assert f"On another corpus, five: CCC {figures['test_ccc']:.3f}" in card
    page = render(read_runs([str(run)]))
    pooled = json.loads((run / "metrics.json").read_text())["other_corpora"]["five"]
    assert f"arousal {figures['test_ccc_arousal']:.3f}" in card
    assert f"MAE {figures['test_mae']:.3f} on 1..5, 24 utterances" in card
    assert "On other corpora" in page
    assert f"MAE {pooled['test_mae']:.3f} on 1..5</td>" in page
    assert ("On another corpus, five: UAR" in card) == config.data.learns_classes


def test_speakers_of_the_training_are_refused(run: Path, config: ExperimentConfig, small_manifest: Path) -> None:
    with pytest.raises(OverlapError, match="shares"):
        run_score(run, [small_manifest])
    with pytest.raises(OverlapError, match="shares"):
        run_retrain(config, drawn(config), run.with_name("refused"), folds=[0], asked=Asked((str(small_manifest),)))
    marked = run_score(run, [small_manifest], allow_overlap=True).corpora["small"]
    assert marked["overlap"]
    assert "test_ccc" in marked


def test_a_network_s_own_test_speakers_have_the_same_figures(run: Path, small_manifest: Path) -> None:
    own = json.loads((run / "fold_00/seed_1/metrics.json").read_text())
    tested = set(pd.read_csv(run / "fold_00/seed_1/predictions.csv", dtype=str)["speaker"])
    table = pd.read_csv(small_manifest, dtype=str)
    held_out = small_manifest.with_name("rated_held_out.csv")
    table[table["speaker"].isin(tested)].to_csv(held_out, index=False)
    figures = run_score(run, [rescaled(held_out, "held_out_of_nine", 0, 9)], fold=0).corpora["held_out_of_nine"]
    for key in ("ccc", "ccc_arousal", "ccc_valence", "pearson", "uar"):
        assert figures.get(f"test_{key}") == pytest.approx(own.get(f"test_{key}"), abs=1e-5), key


def test_a_training_without_a_scale_can_be_given_one(
    config: ExperimentConfig, small_manifest: Path, other: Path, five: Path, tmp_path: Path
) -> None:
    silent = without(small_manifest, f"silent_{config.data.task}", ["scale"])
    config = lay_over(config, [f"data.manifest={silent}", "retrain.epochs=1"])
    with pytest.raises(ManifestError, match="training stated no"):
        run_retrain(config, drawn(config), tmp_path / "run", folds=[0], asked=Asked((str(other),)))
    bare = without(other, "bare", ["scale"])
    run_retrain(config, drawn(config), tmp_path / "run", folds=[0], asked=Asked((str(bare),)), overwrite=True)
    own = json.loads((tmp_path / "run/metrics.json").read_text())["other_corpora"]["bare"]
    assert "scale" not in own
    with pytest.raises(ManifestError, match="training stated no"):
        run_score(tmp_path / "run", [other])
    scored = run_score(tmp_path / "run", [other, five, bare], settings=["data.scale=[1,7]"]).corpora
    for name in scored:
        for figure in ("test_ccc", "test_ccc_valence"):
            assert scored[name][figure] == pytest.approx(own[figure], abs=1e-5)
    assert scored["five"]["test_mae"] == pytest.approx(own["test_mae"] * 4 / 6, abs=1e-5)
    with pytest.raises(ManifestError, match="outside the scale"):
        run_score(tmp_path / "run", [without(five, "bare_five", ["scale"])], choice=LabelChoice(scale=(1, 2)))


def test_networks_scored_on_another_scale_are_not_pooled_with(
    config: ExperimentConfig, other: Path, tmp_path: Path
) -> None:
    path = without(other, "taken", ["scale"])
    config = lay_over(config, ["retrain.epochs=1"])
    run_retrain(config, drawn(config), tmp_path / "out", folds=[0], asked=Asked((str(path),)))
    asked = Asked((str(path),), LabelChoice(scale=(0, 9)))
    with pytest.raises(RunFolderError, match=r"fold_00.*was scored on taken on 1\.\.7; name the same by --test-scale"):
        run_retrain(config, drawn(config), tmp_path / "out", folds=[1], asked=asked, resume=True)


def test_two_corpora_on_two_scales_are_trained_on_together(
    config: ExperimentConfig, small_manifest: Path, five: Path, tmp_path: Path
) -> None:
    several = [f'data.manifest="{small_manifest},{five}"', "data.protocol=loco", "retrain.epochs=1"]
    config, architecture = lay_over(config, several), drawn(config)
    done = run_retrain(config, architecture, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "predictions.csv")
    tested = {fold: set(rows["speaker"].str.split("/").str[0]) for fold, rows in table.groupby("fold")}
    assert tested == {0: {"five"}, 1: {"small"}}
    assert table.loc[table["fold"] == 0, "arousal"].max() > 5  # from 1 to 7, as the widest scale
    again = lay_over(config, [f'data.manifest="{five},{small_manifest}"'])
    assert run_retrain(again, architecture, tmp_path / "out", resume=True).pooled["test_ccc"] == done.pooled["test_ccc"]


def test_the_commands_show_dimensions(run: Path, config: ExperimentConfig, five: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["score", str(run), str(five), "--out", str(tmp_path / "scores")])
    assert done.exit_code == 0, done.output
    for word in ("Other corpora", "CCC", "arousal", "MAE"):
        assert word in done.output
    assert ("true class by row" in done.output) == config.data.learns_classes
    silent = without(five, "silent_five", ["scale"])
    (tmp_path / "arch").mkdir()
    (tmp_path / "arch" / "architecture.json").write_text(json.dumps(drawn(config).to_dict()))
    (tmp_path / "arch" / "config.yml").write_text(lay_over(config, ["retrain.epochs=1"]).to_yaml())
    words = ["retrain", "--architecture", str(tmp_path / "arch"), "--out", str(tmp_path / "out"), "--folds", "0"]
    done = CliRunner().invoke(app, [*words, "--test-manifest", str(silent), "--test-scale", "1..5"])
    assert done.exit_code == 0, done.output
    assert "silent_five" in done.output
    figures = json.loads((tmp_path / "out" / "metrics.json").read_text())["other_corpora"]["silent_five"]
    assert figures["test_mae"] < 4
    for odd in ("5..1", "much"):
        done = CliRunner().invoke(app, ["score", str(run), str(five), "--scale", odd])
        assert "must read like 1..7" in str(done.exception)
