"""Ablations and transfer, on small corpora with the tiny preset; cells are made up."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from finished_cells import cell_in, table_at
from made_up_cells import make_up_cell, noted_budget

from benchmarks.evidence import ablations
from benchmarks.evidence.ablation_table import GROUPS, PARTS, VARIANTS, variants
from benchmarks.evidence.evidence import Corpus, Places, look_up, main_table
from benchmarks.pages import results_document
from nni_emodarts.benchmark import Cell, Method, Plan, benchmark, jobs
from nni_emodarts.config import RetrainConfig, lay_over, load_config
from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.errors import CellError, RunFolderError
from nni_emodarts.models.baselines import ON_MAPS

CORPORA = (
    Corpus("small", "emodb4-loso", "A small corpus", "kfold:3", 0.5, "tiny"),
    Corpus("other", "ravdess-6fold", "Another one", "kfold:3", 0.5, "tiny"),
)


@pytest.fixture(scope="module", autouse=True)
def untrained() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "compute_cell", make_up_cell)
        patch.setattr(jobs, "budget_here", noted_budget)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for corpus in CORPORA:
        make_corpus(folder / corpus.key, speakers=6, utterances=2)
    return folder


def run(data: Path, folder: Path, *words: str, corpora: tuple[Corpus, ...] = CORPORA) -> dict[str, Any]:
    """The command; the summary of the ablations."""
    places = ["--data", str(data), "--out", str(folder / "docs"), "--runs", str(folder / "runs"), "--workers", "1"]
    ablations.main([*places, *words], corpora)
    return read(folder, "emodb4-ablations")


def read(folder: Path, name: str) -> dict[str, Any]:
    return dict(json.loads((folder / "docs" / "results" / f"{name}.json").read_text()))


def test_every_group_and_every_part_of_the_recipe_has_a_variant() -> None:
    names = {variant.group for variant in VARIANTS} | {part.group for part in PARTS}
    assert names == set(GROUPS)
    changed = {setting.split("=")[0].split(".")[1] for p in PARTS if p.group == "recipe" for setting in p.off}
    schedule = {"epochs", "epoch_steps", "patience", "batch_size", "optimizer", "targets"}
    assert changed == set(RetrainConfig.model_fields) - schedule


@pytest.mark.parametrize("preset", ["compact", "tiny"])
def test_every_variant_is_a_valid_change_of_the_preset(preset: str) -> None:
    shipped = load_config(preset)
    found = {variant.name: variant for variant in variants(shipped, list(GROUPS))}
    for variant in found.values():
        assert lay_over(shipped, variant.settings) != shipped or variant.method != shipped.search.strategy
    assert {"scope_lstm", "scope_rnn_att", "second_order", "mfcc"} <= set(found)
    assert found["second_order"].retrained is False


def test_a_part_is_left_out_where_it_is_shipped_and_added_where_it_is_not() -> None:
    shipped = load_config("compact", settings=["retrain.mixup=0.4", "search.options.beta_decay=2"])
    names = {variant.name for variant in variants(shipped, ["recipe", "collapse"])}
    assert {"without_mixup", "without_beta_decay", "with_max_skips"} <= names
    plain = load_config("compact", settings=["retrain.mixup=0", "search.options.beta_decay=0"])
    names = {variant.name for variant in variants(plain, ["recipe", "collapse"])}
    assert {"with_mixup", "with_beta_decay"} <= names


@pytest.fixture(scope="module")
def computed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("ablations")
    first = run(data, folder, "--groups", "scope,transfer")
    return folder, [first, run(data, folder, "--groups", "recipe,hand_designed")]


def test_groups_add_up(computed: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, (first, second) = computed
    names = [row["name"] for row in first["methods"]]
    assert names == ["as_shipped", "scope_lstm", "scope_rnn", "scope_lstm_att", "scope_rnn_att"]
    assert {"second_order", "mfcc", "rnn"} <= {row["method"] for row in first["missing"]}
    assert {row["group"] for row in second["methods"]} == {"reference", "scope", "recipe", "hand_designed"}
    assert all(row["reference"] == "as_shipped" for row in second["comparisons"])
    assert (second["folds"], second["seeds"]) == ([0, 1, 2], [1])
    assert second["by_seed"]["darts"] == {"1": second["methods"][0]["uar_mean"]}
    assert [row["method"] for row in second["whole"]["hand_designed"]] == list(ON_MAPS)
    beside = {row["method"]: row["difference"] for row in second["comparisons"]}
    assert all(row["difference"] == beside[row["method"]] for row in second["whole"]["hand_designed"]), "all folds"
    main_cells = [key.method for key in table_at(folder / "docs" / "results", "emodb4-loso").read().cells]
    assert main_cells.count("darts") == 3, "as shipped: cells of the main table"
    assert main_cells.count("rnn") == 3, "these, too"
    page = (folder / "docs" / "RESULTS.md").read_text()
    assert "**folds 0, 1, 2 and seed 1 only**" in page
    assert "| `with_mixup` | " in page or "| `without_mixup` | " in page


def test_parts_of_the_recipe_retrain_the_architectures_that_were_found(
    computed: tuple[Path, list[dict[str, Any]]], data: Path
) -> None:
    folder, _ = computed
    place = ablations.Ablations(CORPORA[0], Places(data, folder / "docs" / "results", folder / "runs"))
    (variant,) = (each for each in variants(place.shipped, ["recipe"]) if each.name.endswith("mixup"))
    jobs = place.jobs(variant)
    found = look_up(place.reference(), place.manifest)
    shipped = [each.figures.architecture for each in found if each.figures is not None]
    assert len(shipped) == 3
    assert [json.loads(Path(str(job.cell.method.architecture)).read_text()) for job in jobs] == shipped


def test_what_another_seed_changes_stands_beside_the_ablations(
    computed: tuple[Path, list[dict[str, Any]]], data: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(computed[0], tmp_path / "more"))
    table = table_at(folder / "docs" / "results", "emodb4-loso")
    for key, cell in table.read().cells.items():
        if key.method == "darts":
            table.append(cell.model_copy(update={"seed": 2}))
    found = run(data, folder, "--summarize")
    first = found["methods"][0]["uar_mean"]
    assert found["by_seed"]["darts"] == {"1": first, "2": first}
    assert found["seeds"] == [1], "the ablations stay with theirs"
    page = (folder / "docs" / "RESULTS.md").read_text()
    assert f"`as_shipped` itself has {first:.3f} (seed 1), {first:.3f} (seed 2) on these folds. So" in page
    assert "a standard deviation of about 0.000 by luck alone" in page
    above = sum(row["difference"] > 0 for row in found["comparisons"])
    assert f"{above} of {len(found['comparisons'])} rows stand above `as_shipped`" in page
    assert f"it has {first:.3f} on these folds, `cnn_lstm` {found['by_seed']['cnn_lstm']['1']:.3f}." in page


def test_finished_cells_are_kept_and_those_of_other_settings_refused(
    computed: tuple[Path, list[dict[str, Any]]], data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = computed
    monkeypatch.setattr(jobs, "compute_cell", None)  # nothing may be computed
    assert len(run(data, folder, "--groups", "scope,recipe")["methods"]) == len(computed[1][1]["methods"])
    changed = (Corpus("small", "emodb4-loso", "A small corpus", "kfold:3", 0.5, "tiny", ("retrain.epochs=3",)),)
    with pytest.raises(RunFolderError, match="other settings"):
        run(data, folder, "--groups", "scope", corpora=changed)


def test_what_a_changed_search_had_found_is_deleted_with_it(
    computed: tuple[Path, list[dict[str, Any]]], data: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(computed[0], tmp_path / "changed"))
    results = folder / "docs" / "results"
    changed = (
        Corpus("small", "emodb4-loso", "A small corpus", "kfold:3", 0.5, "tiny", ("search.epochs=3",)),
        CORPORA[1],
    )
    there = cells_there(results)
    assert any("mixup" in variant for variant, _ in there)
    assert any(method == "darts_from_small" for _, method in there)
    found = run(data, folder, "--summarize", "--discard-stale", "--groups", "scope", corpora=changed)
    assert {method for _, method in cells_there(results)} == {"cnn", "rnn", "lstm", "cnn_lstm", "cnn_lstm_attention"}
    assert [row["name"] for row in found["methods"]] == ["cnn", "rnn", "lstm", "cnn_lstm", "cnn_lstm_attention"]
    run(data, folder, "--groups", "recipe,transfer", corpora=changed)
    assert cells_there(results) >= {each for each in there if "mixup" in each[0] or each[1] == "darts_from_small"}


def cells_there(results: Path) -> set[tuple[str, str]]:
    """Variant and method of all finished cells."""
    lines = [line for file in (results / "cells").glob("*.jsonl") for line in file.read_text().splitlines()]
    return {(data.get("variant", ""), data["method"]) for data in map(json.loads, lines)}


def test_a_cell_that_fails_keeps_no_other_from_being_computed(
    computed: tuple[Path, list[dict[str, Any]]], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(computed[0], tmp_path / "failing"))
    table = table_at(folder / "docs" / "results", "emodb4-ablations")
    scopes = [replace(table, variant=f"scope_{scope}") for scope in ("lstm", "rnn", "lstm_att", "rnn_att")]
    assert sum(len(each.drop(each.read().cells)) for each in scopes) == 12
    monkeypatch.setattr("made_up_cells.FAILING", {Cell(Method("darts"), 1, 1)})
    with pytest.raises(
        CellError, match=r"scope_lstm: 1 of 1 cells failed:\n  darts, fold 1, seed 1: planted\nscope_rnn: "
    ):
        run(data, folder, "--groups", "scope")
    assert sum(len(each.read().cells) for each in scopes) == 8


def test_transfer_goes_both_ways_where_the_searches_are_there(
    computed: tuple[Path, list[dict[str, Any]]], data: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(computed[0], tmp_path / "both"))
    results = folder / "docs" / "results"
    first = read(folder, "transfer")
    # The ablations had computed the searches of three folds, which are all that the small corpus has.
    assert [row["name"] for row in first["methods"]] == ["darts_from_small"]
    assert first["missing"] == [
        {"method": "darts_from_other", "reason": "the search on ravdess-6fold, fold 0 and seed 1, is not finished yet"}
    ]
    plan = Plan(CORPORA[1].config(data), [Method("darts"), Method("random_sampling")], [0, 1, 2], [1])
    benchmark(plan, table_at(results, "ravdess-6fold"), folder / "runs")
    run(data, folder, "--groups", "transfer")
    second = read(folder, "transfer")
    assert [(row["name"], row["scored_on"]) for row in second["methods"]] == [
        ("darts_from_small", "ravdess-6fold"),
        ("darts_from_other", "emodb4-loso"),
    ]
    assert second["missing"] == []
    source = cell_in(results, "darts", name="ravdess-6fold").architecture
    assert source is not None
    assert second["methods"][1]["architecture"] == source["id"]
    assert "against_nested" in second["methods"][1]
    assert "against_random" not in second["methods"][1], "nothing was drawn there"
    assert {"against_nested", "against_random"} <= set(second["methods"][0])
    main_table(CORPORA[1], data, results, [1])
    results_document.write_document(folder / "docs")
    assert "`darts_from_other`, scored on emodb4-loso: UAR" in (folder / "docs" / "RESULTS.md").read_text()
