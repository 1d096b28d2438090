"""The main tables and the page made of them, on a small corpus with the tiny preset."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from finished_cells import table_at
from made_up_cells import make_up_cell, noted_budget

from benchmarks.evidence import results
from benchmarks.evidence.evidence import (
    CORPORA,
    METHODS,
    PLANNED,
    Conditions,
    Corpus,
    finished_cells,
    jobs_of,
    sum_up,
)
from benchmarks.evidence.tables import AblationRow, AblationTable, MainTable, Missing
from benchmarks.pages import main_section, results_document
from benchmarks.pages.nas_checklist import CHECKLIST, Evidence
from nni_emodarts.benchmark import Method, jobs
from nni_emodarts.data.corpora.synthetic import make_corpus
from nni_emodarts.metrics.comparisons import Comparison
from nni_emodarts.metrics.summaries import MethodSummary
from nni_emodarts.models.baselines import BASELINES
from nni_emodarts.report.drawings.canvas import svg
from nni_emodarts.runtime.cell_table import CellKey

TEXTS = re.compile(r"<!-- (.*) -->")
"""What is written in a drawing; how letters look may differ from version to version."""
SETTINGS = ("search.epochs=1", "retrain.epochs=1", "search.batch_size=8", "retrain.batch_size=8")


@pytest.fixture(scope="module", autouse=True)
def untrained() -> Iterator[None]:
    """Cells are made up: what they hold is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "compute_cell", make_up_cell)
        patch.setattr(jobs, "budget_here", noted_budget)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of corpora that holds one: 6 speakers, 4 emotions, 2 utterances."""
    folder = tmp_path_factory.mktemp("data")
    make_corpus(folder / "small", speakers=6, utterances=2)
    return folder


def corpus_of(*settings: str) -> Corpus:
    return Corpus("small", "emodb4-loso", "A small corpus", "kfold:3", 0.5, "tiny", (*SETTINGS, *settings))


def run(data: Path, folder: Path, *words: str, settings: tuple[str, ...] = ()) -> dict[str, Any]:
    """The command on the small corpus; the summary that it wrote."""
    places = ["--data", str(data), "--out", str(folder / "docs"), "--runs", str(folder / "runs"), "--workers", "1"]
    results.main([*places, *words], [corpus_of(*settings)])
    return dict(json.loads((folder / "docs" / "results" / "emodb4-loso.json").read_text()))


@pytest.fixture(scope="module")
def sliced(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """Two slices: first DARTS and random search with one seed, then a hand-designed network with two."""
    folder = tmp_path_factory.mktemp("evidence")
    first = run(data, folder, "--methods", "darts,random_search", "--seeds", "1")
    return folder, [first, run(data, folder, "--methods", "cnn_lstm", "--seeds", "2")]


def test_slices_add_up(sliced: tuple[Path, list[dict[str, Any]]]) -> None:
    first, second = sliced[1]
    assert [method["name"] for method in first["methods"]] == ["random_search", "darts"]
    assert [method["name"] for method in second["methods"]] == ["cnn_lstm", "random_search", "darts"]
    assert [method["seeds"] for method in second["methods"]] == [[1, 2], [1], [1]]
    missing = {row["method"]: row["reason"] for row in second["missing"]}
    assert set(missing) == set(PLANNED), "three seeds are the plan, however few a slice computes"
    assert missing["cnn_lstm"].startswith("3 of 9 cells")
    assert missing["egemaps_svm"].startswith("3 of 3 cells"), "SVMs take one seed"
    assert [row["reference"] for row in second["comparisons"]] == ["darts", "darts"]
    assert second["methods"][1]["candidates"] == 5, "what the search of darts cost"
    needed = {"name", "uar_mean", "uar_std", "uar_interval", "seeds", "cpu_seconds", "parameters", "flops"}
    assert all(needed <= set(method) for method in second["methods"])
    assert second["environments"][0]["cells"] == 12


def test_one_hand_designed_network_is_planned_and_others_stand_where_they_are_whole(data: Path, tmp_path: Path) -> None:
    assert len(set(BASELINES) & set(PLANNED)) == 1
    run(data, tmp_path, "--methods", "cnn,rnn", "--seeds", "1")
    table_at(tmp_path / "docs" / "results", "emodb4-loso").drop([CellKey("rnn", 1, 1)])
    summary = run(data, tmp_path, "--methods", "")
    assert [method["name"] for method in summary["methods"]] == ["cnn"]
    assert not {"cnn", "rnn"} & {row["method"] for row in summary["missing"]}
    run(data, tmp_path, "--methods", "darts,cnn_lstm", "--seeds", "1")
    summary = run(data, tmp_path, "--methods", "")
    assert [method["name"] for method in summary["methods"]] == ["cnn", "cnn_lstm", "darts"]
    assert [row["method"] for row in summary["comparisons"]] == ["cnn_lstm"], "p is adjusted for what was planned"


def test_the_page_holds_what_is_computed_and_says_what_is_not(sliced: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, (_, summary) = sliced
    page = (folder / "docs" / "RESULTS.md").read_text()
    for method in summary["methods"]:
        assert f"{method['uar_mean']:.3f}" in page
        assert f"| {method['cpu_seconds']:,.0f} |" in page
    ensembles = [method for method in summary["methods"] if "ensemble" in method]
    assert [method["name"] for method in ensembles] == ["cnn_lstm"], "one seed is no ensemble"
    assert f"| `cnn_lstm` | 2 | {ensembles[0]['ensemble']['uar']:.3f} |" in page
    assert "| `random_search` | 8,137, search 5 (3) |" in page, "by machine"
    assert "seed 1 15 CPU seconds, as noted." in page
    assert summary["untouched"] == [], "DARTS has no other seed than that by which things were chosen"
    assert "`random_sampling` (9 of 9 cells not computed yet)" in page
    assert "Not computed yet: `python -m benchmarks.evidence.ablations`" in page
    for item in CHECKLIST:
        assert item.question in page
    before = page
    results_document.main(["--out", str(folder / "docs")])
    assert (folder / "docs" / "RESULTS.md").read_text() == before


def test_the_page_of_this_repository_is_made_of_its_figures(tmp_path: Path) -> None:
    docs = Path(__file__).parents[3] / "docs"
    shutil.copytree(docs / "results", tmp_path / "results", ignore=shutil.ignore_patterns("cells"))
    results_document.write_document(tmp_path)
    page = (docs / "RESULTS.md").read_text()
    assert (tmp_path / "RESULTS.md").read_text() == page
    charts = re.findall(r"!\[.*?\]\((.*?)\)", page)
    assert len(charts) == 2
    for chart in charts:
        drawn, kept = (TEXTS.findall((folder / chart).read_text()) for folder in (tmp_path, docs))
        assert drawn == kept


def test_a_chart_shows_every_method_at_its_figure_with_its_interval() -> None:
    file = Path(__file__).parents[3] / "docs" / "results" / "emodb4-loso.json"
    table = MainTable.from_data(json.loads(file.read_text()))
    figure = main_section.draw_chart(table)
    texts = [f"{method.uar_mean:.3f}" for method in table.methods]
    assert [text for text in TEXTS.findall(svg(figure)) if text in texts] == texts
    (axes,) = figure.axes
    stretches = [tuple(line.get_xdata()) for line in axes.lines]
    for method in table.methods:
        assert method.uar_interval in stretches


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.name)
def test_published_figures_are_those_of_the_cells(corpus: Corpus) -> None:
    """And the cells are those of the presets as they are: a changed default would make the page a lie."""
    results = Path(__file__).parents[3] / "docs" / "results"
    published = MainTable.from_data(json.loads((results / f"{corpus.name}.json").read_text()))
    config, table, held = corpus.config(Path("absent")), table_at(results, corpus.name), {}
    there = table.read()
    assert there.damaged == []
    for method in map(Method, METHODS):
        jobs = jobs_of(config, method, range(published.folds), there.seeds(method.name), table)
        found, reason = finished_cells(jobs, published.manifest.digest)
        assert "other settings" not in reason
        if found:
            held[method.name] = found
    conditions = Conditions(corpus, config, published.manifest, published.folds)
    assert rounded(sum_up(conditions, held, []).to_data()) == rounded(published.to_data())


def rounded(data: Any) -> Any:
    """As JSON has it, without the digits by which processors differ."""
    return json.loads(json.dumps(data), parse_float=lambda text: round(float(text), 9))


def test_a_page_of_nothing_says_so(tmp_path: Path) -> None:
    results_document.write_document(tmp_path)
    page = (tmp_path / "RESULTS.md").read_text()
    assert "Nothing is known yet" in page
    assert "Not yet" in page


def test_the_checklist_claims_nothing_that_is_not_computed() -> None:
    answers = {item.question: item.answer(Evidence()) for item in CHECKLIST}
    assert answers["Compared with random search?"].startswith("Not yet")
    assert answers["Ablation studies?"].startswith("Not yet")

    def answer(candidates: float, seeds: list[int]) -> str:
        methods = [
            MethodSummary.model_construct(name="darts", seeds=[1, 2]),
            MethodSummary.model_construct(name="random_search", seeds=seeds, candidates=candidates),
        ]
        return CHECKLIST[10].answer(Evidence([MainTable.model_construct(name="emodb4-loso", methods=methods)]))

    ablations = AblationTable.model_construct(
        methods=[AblationRow.model_construct(group=group) for group in ("reference", "scope")],
        groups={"scope": "Scopes"},
        folds=[0, 1],
        missing=[Missing(method="mfcc", reason="not computed")],
    )
    assert CHECKLIST[7].answer(Evidence(ablations=ablations)).startswith("In part (1 more")
    whole = CHECKLIST[7].answer(Evidence(ablations=ablations.model_copy(update={"missing": []})))
    assert whole.startswith("In part: 1 variants, on 2 folds"), "a few folds and one seed are not all"

    assert answer(12.5, [1]).startswith("Yes: 12.5 candidates")
    assert answer(12.5, [1]).endswith("Computed on: emodb4-loso (seed 1).")
    assert answer(3.0, [1, 2]).startswith("In part"), "the best of three is nearly an average network"
    assert answer(3.5, [3]).startswith("Not yet"), "other seeds than those of the search"


@pytest.mark.parametrize(
    ("p_holm", "p_folds_holm", "least", "said"),
    [
        (0.051, 0.2, 0.01, "not significant"),
        (0.049, 0.2, 0.01, "significant over speakers, not over folds"),
        (0.049, 0.2, 0.12, "significant over speakers, which so few folds cannot confirm"),
        (0.049, 0.04, 0.01, "significant"),
    ],
)
def test_a_difference_is_said_to_be_as_sure_as_it_is(
    p_holm: float, p_folds_holm: float, least: float, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = Comparison.model_construct(
        method="cnn", difference=-0.1, p_holm=p_holm, p_folds_holm=p_folds_holm, seeds=[1, 2]
    )
    monkeypatch.setattr(results_document, "_least_p_folds", lambda table: least)

    def standing(seeds: list[int], seeds_of_darts: list[int]) -> str:
        own = {"cnn": seeds, "darts": seeds_of_darts}
        methods = [MethodSummary.model_construct(name=name, seeds=each) for name, each in own.items()]
        return results_document._standing(row, MainTable.model_construct(methods=methods))

    assert standing([1, 2], [1, 2]) == f"0.100 above `cnn`, {said} (adjusted p {p_holm:.4f})"
    for more in ([1, 2, 3], [1, 2]), ([1, 2], [1, 2, 3]):
        assert "above `cnn` on seeds 1, 2, " in standing(*more), "the table shows another figure"


@pytest.mark.parametrize(
    ("keep", "refit", "said"),
    [
        ("last", True, "the last epoch is scored, and networks are trained on validation speakers, too"),
        ("best", False, "the epoch that is best on validation is scored"),
    ],
)
def test_what_is_scored_is_said_in_a_sentence(keep: str, refit: bool, said: str) -> None:
    assert main_section._epoch({"keep": keep, "refit": refit}) == said


def test_what_p_over_folds_can_be() -> None:
    def least(folds: int, comparisons: int) -> float:
        rows = [Comparison.model_construct()] * comparisons
        return results_document._least_p_folds(MainTable.model_construct(folds=folds, comparisons=rows))

    assert least(6, 4) == 0.125
    assert least(10, 1) == 2 / 2**10


def test_a_verdict_is_not_read_without_its_caveat(sliced: tuple[Path, list[dict[str, Any]]]) -> None:
    docs = sliced[0] / "docs"
    notes = docs / "results" / "notes.yml"
    notes.write_text(
        "caveats: {emodb4-loso: [Beware., Of this.]}\nabout: {emodb4-loso: Made up.}\n"
        "earlier: {emodb4-loso: {darts: [0.5, 0.625]}}\ndiagnoses: [Since.]\nrecipe_parts: [[ears, two, one]]\n"
        "extraction: Took long.\n"
        "trials: [{title: Ears, text: Tried., head: [ear, UAR], rows: [[left, '0.1']], end: Off.}]\n"
    )
    results_document.write_document(docs)
    page = (docs / "RESULTS.md").read_text()
    notes.unlink()
    results_document.write_document(docs)
    lines = page.splitlines()
    (verdict,) = (number for number, line in enumerate(lines) if line.startswith("**emodb4-loso.** DARTS"))
    assert lines[verdict + 1 : verdict + 4] == ["", "- Beware.", "- Of this."]
    assert "Made up.\n" in page
    assert "### Ears\n\nTried.\n\n| ear | UAR |\n| --- | --- |\n| left | 0.1 |\n\nOff.\n" in page
    assert "## Why, as far as found\n\n- Since.\n" in page
    assert "\n\nTook long.\n\n" in page
    assert "features stands under *Cost*" in page
    assert "| part | what is done | what else was tried |\n| --- | --- | --- |\n| ears | two | one |\n" in page
    now = sliced[1][1]["methods"][2]["uar_by_seed"]["1"]
    assert f"| emodb4-loso | `darts` | 0.500, 0.625 | {now:.3f} |" in page


def test_what_searched_networks_answer_is_shown(sliced: tuple[Path, list[dict[str, Any]]]) -> None:
    ours = sliced[1][1]["methods"][2]
    assert [sum(row) for row in ours["confusion"]] == [12] * 4, "two utterances of six speakers"
    shares = [[f"{count / 12:.2f}" for count in row] for row in ours["confusion"]]
    page = (sliced[0] / "docs" / "RESULTS.md").read_text()
    for label, row in zip(ours["recall"], shares, strict=True):
        assert f"| {label} | {' | '.join(row)} |" in page


def test_a_part_failed_where_leaving_it_out_costs_nothing() -> None:
    differences = {"without_a": 0.01, "without_b": -0.05, "with_c": -0.02, "with_d": 0.03, "cnn": -0.1}
    groups = {"cnn": "hand_designed", "as_shipped": "reference"}
    ablations = AblationTable.model_construct(
        methods=[
            AblationRow.model_construct(name=name, group=groups.get(name, "recipe"))
            for name in ("as_shipped", *differences)
        ],
        comparisons=[
            Comparison.model_construct(method=name, reference="as_shipped", difference=difference)
            for name, difference in differences.items()
        ],
        by_seed={},
    )
    reported = results_document._failures(Evidence(ablations=ablations))
    assert [name for name in ("without_a", "without_b", "with_c", "with_d") if name in reported] == [
        "without_a",
        "with_c",
    ]
    assert "cnn" not in reported, "another method is no part"
    ablations = ablations.model_copy(update={"by_seed": {"darts": {"1": 0.75, "2": 0.742}}})
    reported = results_document._failures(Evidence(ablations=ablations))
    assert "with_c" in reported
    assert "without_a" not in reported, "no more than another seed changes"


def test_cells_of_other_settings_leave_the_table_and_are_deleted_on_request(
    sliced: tuple[Path, list[dict[str, Any]]], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (sliced[0] / "docs" / "results").rename(tmp_path / "docs" / "results")
    changed = ("retrain.label_smoothing=0.3",)
    table = table_at(tmp_path / "docs" / "results", "emodb4-loso")
    try:
        summary = run(data, tmp_path, "--methods", "", settings=changed)
        assert summary["methods"] == []
        assert "6 of them there with other settings" in next(
            row["reason"] for row in summary["missing"] if row["method"] == "cnn_lstm"
        )
        assert len(table.read().cells) == 12
        run(data, tmp_path, "--methods", "", "--discard-stale", settings=changed)
        assert not table.file.exists()
        printed = capsys.readouterr().err
        assert f"deleted {table.file}, line 1 (" in printed
        assert printed.count("computed with other settings") == 12
    finally:
        (tmp_path / "docs" / "results").rename(sliced[0] / "docs" / "results")


def test_lines_that_hold_no_cell_are_named_where_nothing_is_computed(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(data, tmp_path, "--methods", "cnn", "--seeds", "1")
    table = table_at(tmp_path / "docs" / "results", "emodb4-loso")
    text = table.file.read_bytes()[:-100]
    table.file.write_bytes(text)
    summary = run(data, tmp_path, "--methods", "")
    assert f"{table.file}, line 3 was cut off" in capsys.readouterr().err
    assert summary["methods"] == [], "the seed's folds are not all there"
    assert table.file.read_bytes() == text, "nothing is written to it"
    run(data, tmp_path, "--methods", "cnn", "--seeds", "1")
    assert len(table.read().cells) == 3
    assert table.read().damaged == []


def test_svms_are_skipped_where_opensmile_is_missing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(results, "find_spec", lambda name: None)
    summary = run(data, tmp_path, "--methods", "egemaps_svm")
    assert summary["methods"] == []
    assert "egemaps_svm is skipped" in capsys.readouterr().err


def test_an_unknown_name_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="darst unknown; known: egemaps_svm"):
        run(data, tmp_path, "--methods", "darst")


def test_no_seed_at_all_is_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(data, tmp_path, "--seeds", "0")
    assert "'0' must be a whole number of at least 1" in capsys.readouterr().err
