"""The level of a pretrained stream, chosen by probes before all else, and choices that a space fixes."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nni_emodarts import Architecture
from nni_emodarts.benchmark import Method, settings_digest
from nni_emodarts.data.corpus import Corpus
from nni_emodarts.data.features import FeatureStore
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.errors import ArchitectureError
from nni_emodarts.models.architecture import layer_choices
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.level_first import level_first
from nni_emodarts.search.run import search
from tests.search.voice_levels import CHOICES, by_levels, configured

TELLING = ("3", "0+3", "3+5")
"""Candidates with the level that tells emotions apart."""


@pytest.fixture(scope="module")
def corpus(small_corpus: Corpus, known_encoder: None) -> Corpus:
    return by_levels(small_corpus)


def metrics_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


@pytest.fixture(scope="module")
def searched(small_manifest: Path, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("level_first") / "out"
    task = FoldTask.of(configured(small_manifest, "darts", "search.level=probed"), corpus, 1, 3)
    search(task, RunFolder.claim(folder))
    return folder


@pytest.mark.parametrize("strategy", ["proxyless", "random_one_shot", "enas", "random", "tpe"])
def test_every_strategy_searches_on_the_level_that_probes_choose(
    strategy: str, small_manifest: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nni_emodarts.nni_bridge.trial.in_trial", lambda: True)
    config = configured(small_manifest, strategy, "search.level=probed")
    found = search(FoldTask.of(config, corpus, 1, 3), RunFolder.claim(tmp_path / "out"))
    probed = metrics_of(tmp_path / "out")["probed"]["level_voice"]
    assert tuple(probed) == CHOICES
    assert found.choices["level_voice"] == max(probed, key=lambda each: probed[each])
    assert found.origin["fixed"] == {"level_voice": found.choices["level_voice"]}
    # The architecture is one of the whole space.
    assert found.space.identity() == config.space.identity()
    whole = Architecture.from_choices(config.space, found.sample(), found.num_classes, found.input_shape)
    assert whole.id == found.id
    if (tmp_path / "out" / "candidates.csv").exists():
        heard = pd.read_csv(tmp_path / "out" / "candidates.csv", dtype=str)["level_voice"]
        assert set(heard) == {found.choices["level_voice"]}


def test_a_level_that_tells_emotions_apart_is_taken_and_read_alone(
    searched: Path,
) -> None:
    metrics, found = metrics_of(searched), Architecture.load(searched / "architecture.json")
    assert found.choices["level_voice"] in TELLING
    probed = metrics["probed"]["level_voice"]
    assert probed["3"] > max(probed["0"], probed["5"]) + 0.2, probed
    assert 0 <= metrics["entropy"] <= 1
    alphas = pd.read_csv(searched / "alphas.csv", dtype={"choice": str})
    rows = alphas[alphas["label"] == "level_voice"]
    assert set(rows["choice"]) == {found.choices["level_voice"]}
    assert rows["probability"].eq(1).all()
    assert "fixed" not in (searched / "config.yml").read_text() or "fixed: {}" in (searched / "config.yml").read_text()


def test_probes_read_no_test_speaker(small_manifest: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[int] = set()
    read: Callable[..., Any] = FeatureStore.__getitem__
    monkeypatch.setattr(FeatureStore, "__getitem__", lambda self, row: (seen.add(int(row)), read(self, row))[1])
    task = FoldTask.of(configured(small_manifest, "darts", "search.level=probed"), corpus, 1, 3)
    first = level_first(task)
    assert seen == set(np.union1d(task.fold.train, task.fold.validation).tolist())
    changed = corpus.manifest.labels.copy()
    changed[task.fold.test] = (changed[task.fold.test] + 1) % corpus.num_classes
    emotions = np.array(corpus.manifest.classes)[changed]
    other = replace(corpus, manifest=replace(corpus.manifest, table=corpus.manifest.table.assign(emotion=emotions)))
    assert level_first(replace(task, corpus=other)).probed == first.probed


def test_a_search_of_a_fixed_level_is_the_one_that_probes_lead_to(
    searched: Path, small_manifest: Path, corpus: Corpus, tmp_path: Path
) -> None:
    level = Architecture.load(searched / "architecture.json").choices["level_voice"]
    fixed = configured(small_manifest, "darts", f"space.fixed={{level_voice: '{level}'}}")
    search(FoldTask.of(fixed, corpus, 1, 3), RunFolder.claim(tmp_path / "out"))
    for name in ("architecture.json", "alphas.csv", "history.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (searched / name).read_bytes(), name
    assert "probed" not in metrics_of(tmp_path / "out")


def test_one_that_is_cut_off_goes_on(searched: Path, small_manifest: Path, corpus: Corpus, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(searched, tmp_path / "copy"))
    for name in ("metrics.json", "architecture.json"):
        (copy / name).unlink()
    task = FoldTask.of(configured(small_manifest, "darts", "search.level=probed"), corpus, 1, 3)
    search(task, RunFolder.claim(copy, resume=True))
    assert (copy / "architecture.json").read_text() == (searched / "architecture.json").read_text()
    assert metrics_of(copy)["probed"] == metrics_of(searched)["probed"]


def test_several_searches_share_the_level(small_manifest: Path, corpus: Corpus, tmp_path: Path) -> None:
    config = configured(small_manifest, "darts", "search.level=probed", "search.restarts=2")
    found = search(FoldTask.of(config, corpus, 1, 3), RunFolder.claim(tmp_path / "out"))
    metrics = metrics_of(tmp_path / "out")
    probed = metrics["probed"]["level_voice"]
    assert found.choices["level_voice"] == max(probed, key=lambda each: probed[each])
    assert len(metrics["restarts"]) == 2
    assert metrics["cpu_seconds"] >= sum(metrics_of(tmp_path / "out" / f"restart_{n}")["cpu_seconds"] for n in (0, 1))


def test_what_is_off_changes_no_digest(small_manifest: Path) -> None:
    plain, probed, fixed = (
        configured(small_manifest, "darts", *more)
        for more in ([], ["search.level=probed"], ["space.fixed={level_voice: '3'}"])
    )
    digests = [settings_digest(each, Method("darts"), "") for each in (plain, probed, fixed)]
    assert len(set(digests)) == 3
    assert "level" not in plain.search.meaning()
    assert "fixed" not in plain.space.meaning()
    assert fixed.space.identity() == plain.space.identity()
    assert layer_choices(fixed.space)["level_voice"] == ("3",)


@pytest.mark.parametrize(("label", "candidate"), [("level_voice", "9"), ("level_other", "3"), ("pooling", "median")])
def test_what_is_fixed_must_be_a_choice(label: str, candidate: str, small_manifest: Path) -> None:
    config = configured(small_manifest, "darts", f"space.fixed={{{label}: '{candidate}'}}")
    with pytest.raises(
        ArchitectureError, match=f"space.fixed: {label} cannot be {candidate}; level_voice is one of 0, 3"
    ):
        layer_choices(config.space)
