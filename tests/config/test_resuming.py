"""A run that goes on has the settings that it began with: by their meaning, not by their text."""

from pathlib import Path

import pytest
import yaml

from nni_emodarts.config import ExperimentConfig, load_config, refuse_other_settings
from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "run")
    run.path.mkdir()
    return run


def begun(settings: tuple[str, ...] = (), preset: str = "compact") -> ExperimentConfig:
    return load_config(preset, settings=["data.manifest=/old/m.csv", *settings])


@pytest.mark.parametrize(
    "setting",
    [
        "data.manifest=/new/place/m.csv",
        "data.cache=/elsewhere",
        "data.workers=1",
        "device=cpu",
        "search.options.beta_decay=0",
        "search.options.alpha_learning_rate=1e-2",
        "search.optimizer.learning_rate=2e-3",
        "space.reduction_cells=[2, 0]",
        "space.seqnn_scope=all",
    ],
)
def test_what_means_the_same_goes_on(folder: RunFolder, setting: str) -> None:
    folder.write_text("config.yml", begun().to_yaml())
    refuse_other_settings(folder, begun((setting,)))


def test_a_run_of_an_earlier_version_goes_on(folder: RunFolder) -> None:
    """Its file says nothing of options that came later, or of defaults; comments and order mean nothing."""
    data = yaml.safe_load(begun().to_yaml())
    del data["features"]["deltas"], data["retrain"]["perturbation"]["level"], data["space"]["seqnn_normalization"]
    folder.write_text("config.yml", "# by hand\n" + yaml.safe_dump(data, sort_keys=True, default_flow_style=None))
    refuse_other_settings(folder, begun())
    refuse_other_settings(folder, begun().model_copy(update={"preset": "another"}))
    with pytest.raises(RunFolderError, match=r"features\.deltas is None there and 1 here"):
        refuse_other_settings(folder, begun(("features.deltas=1",)))


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("search.epochs=11", "search.epochs is 10 there and 11 here"),
        ("retrain.perturbation.level=0.5", "retrain.perturbation.level is None there and 0.5 here"),
        ("search.options.beta_decay=0.1", "search.options.beta_decay is 0.0 there and 0.1 here"),
        ("search.options={}", "search.options.alpha_learning_rate is 0.01 there and 0.0003 here"),
        ("data.protocol=kfold:3", "data.protocol is 'loso' there and 'kfold:3' here"),
        ("data.bad_audio=skip", "data.bad_audio"),
        ("devices=2", "processes is None there and 2 here"),
        ("space.cnn_channels=9", "space.cnn_channels is 8 there and 9 here"),
    ],
)
def test_what_means_something_else_is_refused_by_name(folder: RunFolder, setting: str, says: str) -> None:
    folder.write_text("config.yml", begun().to_yaml())
    with pytest.raises(RunFolderError) as caught:
        refuse_other_settings(folder, begun((setting,)))
    assert "holds a run with other settings (config.yml)" in str(caught.value)
    assert says in str(caught.value)


def test_a_folder_without_a_configuration_has_no_other(folder: RunFolder) -> None:
    refuse_other_settings(folder, begun())


@pytest.mark.parametrize("text", ["search: {epochs: 1, epochs: 2}", "[", "search: {epochs: zero}", "a" * 600_000])
def test_a_configuration_that_is_broken_is_a_fault_of_the_run(folder: RunFolder, text: str) -> None:
    folder.write_text("config.yml", text)
    with pytest.raises(RunFolderError, match=r"holds a run whose config\.yml cannot be read"):
        refuse_other_settings(folder, begun())
