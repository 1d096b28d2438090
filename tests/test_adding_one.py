"""A made-up strategy, corpus and method, each one file and one entry, work like those of the package."""

import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import made_up
import pytest
import yaml
from finished_cells import cell_in, table_at
from nni_emodarts.trials import arguments

from nni_emodarts.benchmark import METHODS, Method, Plan, benchmark
from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.config.strategies import STRATEGIES
from nni_emodarts.data.corpora import CORPORA
from nni_emodarts.data.manifest import read_manifest
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.architecture import Architecture

Emodarts = Callable[..., tuple[int, str]]


@pytest.fixture(autouse=True)
def added() -> Iterator[None]:
    """One more of each kind while a test runs."""
    before = [list(registry) for registry in (STRATEGIES, CORPORA, METHODS)]
    with ExitStack() as stack:
        stack.enter_context(STRATEGIES.adding(made_up.STRATEGY))
        stack.enter_context(CORPORA.adding(made_up.CORPUS))
        stack.enter_context(METHODS.adding(made_up.METHOD))
        yield
    assert [list(registry) for registry in (STRATEGIES, CORPORA, METHODS)] == before


@pytest.mark.parametrize(
    ("command", "names"),
    [
        ("search", [made_up.STRATEGY.name, *STRATEGIES]),
        ("experiment", [made_up.STRATEGY.name, *STRATEGIES]),
        ("benchmark", [made_up.METHOD.name, made_up.STRATEGY.name, *METHODS]),
        ("prepare", [made_up.CORPUS.name, *CORPORA]),
    ],
)
def test_help_names_all_that_can_be_chosen(command: str, names: list[str], emodarts: Emodarts) -> None:
    code, said = emodarts(command, "--help")
    assert code == 0
    assert "{" not in said.split("Options:")[1]
    words = set(said.replace(",", " ").replace(";", " ").replace(".", " ").split())
    assert words >= set(names)


def test_the_help_of_a_trial_names_the_strategy(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        arguments.run("", lambda trial: None, ["--help"])
    assert "policy_rl, made_up" in " ".join(capsys.readouterr().out.split())


def test_commands_list_the_strategy_and_the_corpus(emodarts: Emodarts) -> None:
    code, said = emodarts("strategies")
    assert code == 0
    family, others = said.split("multi-trial")
    assert "  made_up " in family
    assert "what nobody asked for" in family
    assert "draws=7" in family
    assert "made_up" not in others
    code, said = emodarts("corpora")
    assert code == 0
    assert "made_up_corpus  A corpus of nobody" in said


def test_a_wrong_name_is_answered_with_them(refused: Callable[..., None], tmp_path: Path) -> None:
    out = tmp_path / "out"
    refused("search", "--strategy", "made_upp", "--out", out, says=("'made_upp' is unknown; did you mean made_up",))
    refused("prepare", "made_upp", tmp_path, "--out", out, says=("did you mean made_up_corpus",))
    with pytest.raises(ConfigError, match="method 'made_up_methd' is unknown; did you mean made_up_method"):
        Method("made_up_methd")


def test_options_of_the_strategy_are_those_of_its_class() -> None:
    def configured(*settings: str) -> ExperimentConfig:
        return load_config("tiny", settings=settings, options={"search.strategy": "made_up"})

    assert configured().search.strategy_options() == made_up.MadeUpOptions()
    chosen = configured("search.options.draws=3").search.strategy_options()
    assert chosen == made_up.MadeUpOptions(draws=3)
    with pytest.raises(ConfigError, match=r"options of made_up: draws: 0 is not allowed"):
        configured("search.options.draws=0")
    with pytest.raises(ConfigError, match=r"options of made_up: samples: unknown key; known: draws"):
        configured("search.options.samples=3")


def test_the_corpus_is_prepared(emodarts: Emodarts, tmp_path: Path) -> None:
    for name in ("anna_bliss", "anna_gloom", "bert_bliss", "bert_gloom"):
        (tmp_path / f"{name}.wav").touch()
    code, said = emodarts("prepare", "made_up_corpus", tmp_path, "--out", tmp_path / "manifest.csv")
    assert code == 0, said
    manifest = read_manifest(tmp_path / "manifest.csv")
    assert manifest.classes == ("bliss", "gloom")
    assert sorted(set(manifest.table["speaker"])) == ["anna", "bert"]


def test_a_trial_of_an_experiment_searches_by_the_strategy(
    emodarts: Emodarts, small_manifest: Path, tmp_path: Path
) -> None:
    file = tmp_path / "experiment.yml"
    words = ["--manifest", small_manifest, "--preset", "tiny", "--strategy", "made_up", "--set"]
    code, said = emodarts("experiment", *words, "search.options.draws=4", "--out", file)
    assert code == 0, said
    command = shlex.split(yaml.safe_load(file.read_text())["trialCommand"])
    given = command[command.index("--manifest") :]
    found = []
    arguments.run("", found.append, [*given, "--out", str(tmp_path / "trial")])
    (trial,) = found
    assert trial.config.search.strategy == "made_up"
    assert trial.config.search.strategy_options() == made_up.MadeUpOptions(draws=4)


def test_a_benchmark_measures_the_strategy_and_the_method(fast_config: ExperimentConfig, tmp_path: Path) -> None:
    small = {"cnn_primitives": ["skip_connect", "avg_pool_3x3"], "seqnn_primitives": ["skip_connect", "lstm_1"]}
    data = fast_config.model_dump(mode="json")
    data["space"] |= small
    data["search"] |= {"epoch_steps": 1, "options": {"draws": 2}, "strategy": "made_up"}
    data["retrain"] |= {"epochs": 1, "epoch_steps": 1}
    config = ExperimentConfig.model_validate(data)
    methods = [Method("made_up"), Method("made_up_method")]
    plan = Plan(config, methods, [0], [1])
    searched, designed = benchmark(plan, table_at(tmp_path), tmp_path / "runs")
    assert searched.search_cpu_seconds > 0 == designed.search_cpu_seconds
    cell = cell_in(tmp_path, "made_up")
    assert cell.architecture is not None
    origin = Architecture.from_dict(cell.architecture).origin
    assert (origin["strategy"], origin["options"]) == ("made_up", {"draws": 2})
    metrics = next((tmp_path / "runs" / "made_up_method").rglob("metrics.json"))
    assert yaml.safe_load(metrics.read_text())["architecture"] == "cnn"
