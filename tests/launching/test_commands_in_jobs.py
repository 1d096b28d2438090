"""Commands whose work jobs do, of this machine and of a real SLURM, as the document shows them."""

import json
import re
import shlex
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from process_groups import wait_until

from nni_emodarts.benchmark import Method, Plan, compare
from nni_emodarts.benchmark.run import cell_table
from nni_emodarts.benchmark.table import read_table
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.launching import Launch
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("slurm")]

Emodarts = Callable[..., tuple[int, str]]
_DOCUMENT = Path(__file__).parents[2] / "docs" / "slurm.md"


def shown(number: int) -> list[list[str]]:
    """The commands of a block of the document, in words, with its variables in them."""
    text = _DOCUMENT.read_text()
    variables = dict(re.findall(r"^(\w)='(.*)'$", text, re.MULTILINE))
    lines = re.findall(r"```\n(.*?)```", text, re.DOTALL)[number].splitlines()
    commands = [line for line in lines if line.startswith("emodarts")]
    return [shlex.split(re.sub(r"\$(\w)", lambda name: variables[name[1]], line)) for line in commands]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_benchmark_goes_from_one_process_to_slurm(emodarts: Emodarts, here: Path) -> None:
    synthesize, alone, local, slurm = shown(1)
    assert emodarts(*synthesize[1:])[0] == 0
    table = cell_table(here / "results", "mine")
    said = {}
    for words, cells in ((alone, 1), (local, 3), (slurm, 6)):
        code, said[cells] = emodarts(*words[1:])
        assert code == 0, said[cells]
        assert len(table.read().cells) == cells
        assert len(table.file.read_text().splitlines()) == cells
    assert "2 jobs on this machine" in said[3]
    assert "cells: 2/2" in said[3]
    assert "2 jobs on job " in said[6]
    assert "cells: 3/3" in said[6]
    summary = json.loads((here / "results" / "mine.json").read_text())
    assert [method["seeds"] for method in summary["methods"]] == [[1, 2]]
    left = {path.name for path in [*(here / "results").rglob("*"), *(here / "runs" / "mine").iterdir()]}
    assert left == {"mine.json", "cells", "mine.jsonl", "cnn"}


def test_features_tables_and_networks_are_made_by_jobs(
    emodarts: Emodarts, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_corpus(here / "corpus", speakers=6, utterances=2)
    monkeypatch.setenv("EMODARTS_CACHE", str(here / "cache"))
    features, table, retrain = shown(2)
    code, said = emodarts(*features[1:])
    assert code == 0, said
    assert "shards of features: 2/2" in said
    assert len(list((here / "cache").rglob("*.npy"))) == 48
    assert [path.name for path in (here / "cache").glob("launched*")] == []
    code, said = emodarts(*table[1:])
    assert code == 0, said
    assert "shards of features" not in said, "all of them were there"
    assert len(read_table("tables/mine.jsonl")) == 2
    assert [path.name for path in (here / "tables").iterdir() if not path.name.startswith(".")] == ["mine.jsonl"]
    space = load_config("tiny").space
    Path("runs/search").mkdir(parents=True)
    RunFolder("runs/search").write_json("architecture.json", random_architecture(space, 4, (1, 40), 0).to_dict())
    code, said = emodarts(*retrain[1:], "--final")
    assert code == 0, said
    assert "networks: 1/1" in said
    run = RunFolder("runs/retrained")
    assert run.has("metrics.json")
    assert run.has("final/model_card.md")
    assert not run.has("launched")
    listed = (run.path / "files.txt").read_text().split()
    assert {"fold_00/seed_1/", "final/"} < set(listed)


def test_a_search_that_gives_way_ends_as_one_that_does_not(
    fast_config: ExperimentConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = fast_config.model_copy(update={"search": fast_config.search.model_copy(update={"epochs": 3})})
    plan = Plan(config, [Method("darts")], [0], [1])
    runs = tmp_path / "runs"

    def give_way() -> None:
        wait_until(lambda: list(runs.rglob("checkpoint.ckpt")), 300)
        words = ["sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=true"]
        subprocess.run(words, check=True, capture_output=True)

    urgent = threading.Thread(target=give_way)
    urgent.start()
    compare("small", plan, tmp_path / "out", runs, launch=Launch("slurm", jobs=1), note=print)
    urgent.join()
    compare("small", plan, tmp_path / "out2", tmp_path / "runs2")
    one, other = (cell_table(tmp_path / name, "small").read().cells for name in ("out", "out2"))
    differing = {"seconds", "cpu_seconds", "search_cpu_seconds", "environment"}
    kept, plain = (
        {key: value for key, value in cell.to_data().items() if key not in differing}
        for cells in (one, other) for cell in cells.values()
    )  # fmt: skip
    assert kept == plain
