"""A note where CCC is estimated over few utterances, of what is to be done, and none where they are enough."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.ccc_utterances import ENOUGH, few_utterances
from nni_emodarts.data.corpus import wanted_dimensions
from nni_emodarts.data.manifest import Manifest, read_manifest
from nni_emodarts.data.protocols import make_folds
from nni_emodarts.metrics.dimensions import ccc_of, moments
from nni_emodarts.models.space import random_architecture
from nni_emodarts.search.plan import write_experiment
from nni_emodarts.search.start import run_search
from nni_emodarts.training.retrain import run_retrain


def notes(count: int, folder: Path, missing: int = 0, **objective: object) -> list[str]:
    """Those of a corpus whose one fold trains on so many utterances, of which some lack a value of valence."""
    rows = []
    for number in range(count + 4):
        split = "train" if number < count else ("validation", "test")[number % 2]
        (folder / f"{number}.wav").touch()
        valence = "" if number < missing else str(1 + number % 6)
        rows.append(f"{number}.wav,s{number % 7}{split},{split},{1 + number % 5},{valence},1..7")
    (folder / "manifest.csv").write_text("\n".join(["file,speaker,split,arousal,valence,scale", *rows]) + "\n")
    options = {f"objective.{name}": value for name, value in objective.items()}
    config = load_config("tiny", options={"data.task": "dimensions", "data.protocol": "official", **options})
    manifest = read_manifest(folder / "manifest.csv", dimensions=wanted_dimensions(config.data))
    return list(few_utterances(config, manifest, make_folds(manifest, "official")))


def test_enough_utterances_need_no_note(tmp_path: Path) -> None:
    assert notes(130, tmp_path) == []
    assert notes(40, tmp_path, dimension_loss="mse") == []
    assert notes(130, tmp_path, ccc_utterances=ENOUGH) == []


def test_a_small_training_part_is_named_with_the_dimension_that_has_fewest_values(tmp_path: Path) -> None:
    assert notes(130, tmp_path, missing=30) == [
        "CCC is estimated over 100 utterances at a time, fewer than 128: of few it comes out too low, and its gradient "
        "with it; the training part of fold 0 has 100 values of valence: add recordings, or set "
        "objective.dimension_loss to mse"
    ]


def test_a_low_setting_is_named(tmp_path: Path) -> None:
    (said,) = notes(130, tmp_path, ccc_utterances=20)
    assert "over 20 utterances at a time, fewer than 64" in said
    assert said.endswith("raise objective.ccc_utterances, which takes no memory")
    (said,) = notes(40, tmp_path, ccc_utterances=20)
    assert "raise objective.ccc_utterances, which takes no memory; the training part of fold 0 has 40 values" in said


def test_emotions_alone_have_no_such_note(small_manifest: Path, fast_config: ExperimentConfig) -> None:
    manifest: Manifest = read_manifest(small_manifest)
    assert list(few_utterances(fast_config, manifest, make_folds(manifest, "loso"))) == []


@pytest.mark.parametrize("correlation", [0.3, 0.6, 0.8])
def test_what_is_enough(correlation: float) -> None:
    """The mean of CCC over so many is too low by less than 0.01; over a quarter of them it is not."""
    generator = np.random.default_rng(0)
    whole = 2 * correlation**2 / (1 + correlation**2)
    lost = []
    for count in (ENOUGH, ENOUGH // 8):
        true = generator.normal(size=(count, 20_000))
        noise = generator.normal(size=true.shape)
        said = correlation * (correlation * true + np.sqrt(1 - correlation**2) * noise)
        lost.append(whole - ccc_of(moments(true, said)).mean())
    assert 0 < lost[0] < 0.01 < lost[1]


@pytest.mark.parametrize("what", ["search", "retrain", "experiment"])
def test_it_is_said_before_anything_is_trained(
    what: str, small_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Begun(Exception):  # noqa: N818 - no error
        pass

    def begin(*given: object, **more: object) -> None:
        raise Begun

    for place in ("search.run.search", "training.retrain.run.retrain", "search.plan.write_output"):
        monkeypatch.setattr(f"nni_emodarts.{place}", begin)
    options = {"data.manifest": str(small_manifest), "data.protocol": "kfold:3", "data.task": "both"}
    config, said = load_config("tiny", options=options), list[str]()
    design = random_architecture(config.space, 7, (1, 40), 0)
    begins: dict[str, Callable[[], object]] = {
        "search": lambda: run_search(config, tmp_path / "out", note=said.append),
        "retrain": lambda: run_retrain(config, design, tmp_path / "out", note=said.append),
        "experiment": lambda: write_experiment(tmp_path / "experiment.yml", config, [], note=said.append),
    }
    with pytest.raises(Begun):
        begins[what]()
    assert [text for text in said if text.startswith("CCC is estimated over 16 utterances at a time, fewer than 128")]
