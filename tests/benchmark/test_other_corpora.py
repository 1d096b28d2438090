"""A benchmark whose cells are scored on a further corpus, too."""

import json
from pathlib import Path

import pytest
from foreign_corpus import foreign_corpus

from nni_emodarts.benchmark.run import cell_table, run_benchmark
from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.data.other_corpora import LabelChoice
from nni_emodarts.deploy.scoring import run_score
from nni_emodarts.errors import ConfigError, OverlapError, RunFolderError
from nni_emodarts.training.retrain.elsewhere import Asked

METHODS = ["random_sampling", "compare_svm"]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return foreign_corpus(tmp_path_factory.mktemp("other") / "foreign", 3)


def test_each_cell_is_scored_on_the_further_corpus(
    fast_config: ExperimentConfig, other: Path, small_manifest: Path, tmp_path: Path
) -> None:
    asked = Asked((str(other),), LabelChoice({"rage": "anger"}))
    places = {"out": tmp_path / "out", "runs": tmp_path / "runs"}
    computed: list[str] = []

    def tell(number: int, count: int, figures: object) -> None:
        computed.append(figures.method)

    def run(asked: Asked, methods: list[str] = METHODS) -> dict[str, object]:
        summary, _ = run_benchmark("b", fast_config, methods, folds=[0, 1], asked=asked, tell=tell, **places)
        return {method.name: method for method in summary.methods}

    with pytest.raises(OverlapError, match="small shares"):
        run(Asked((str(small_manifest),)))
    with pytest.raises(ConfigError, match="method ensemble is scored on no other corpus"):
        run_benchmark(
            "b", fast_config.model_copy(update={"search": _trials(fast_config)}), ["ensemble"], asked=asked, **places
        )
    found = run(asked)
    cells = cell_table(tmp_path / "out", "b").read().cells.values()
    for cell in cells:
        assert {name: len(own) for name, own in cell.other_corpora.items()} == {"foreign": 3}
    assert json.loads((tmp_path / "out" / "b.json").read_text())["methods"][0]["other_corpora"]["foreign"]
    for name in METHODS:
        figures = found[name].other_corpora["foreign"]
        assert (figures["networks"], figures["utterances"], figures["speakers"]) == (2, 12, 3)
    folders = [path.parent for path in (tmp_path / "runs").rglob("weights.safetensors")]
    assert len(folders) == 2
    scored = [run_score(folder, [other], choice=asked.choice).corpora["foreign"]["test_uar"] for folder in folders]
    assert found["random_sampling"].other_corpora["foreign"]["test_uar"] == pytest.approx(sum(scored) / 2)
    assert computed == ["random_sampling"] * 2 + ["compare_svm"] * 2
    assert run(asked).keys() == found.keys()
    assert len(computed) == 4  # nothing is computed twice
    elsewhere = make_corpus(tmp_path / "third", speakers=3, utterances=1, seed=8)
    with pytest.raises(RunFolderError, match="was not scored on third"):
        run(Asked((str(elsewhere),)))


def _trials(config: ExperimentConfig) -> object:
    data = config.model_dump(mode="json")
    data["search"] |= {"strategy": "random", "options": {"candidates": 2}, "estimate": {"folds": 2}}
    return ExperimentConfig.model_validate(data).search
