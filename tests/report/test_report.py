"""The report holds what the runs hold, all in one file, and no more than was asked for."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from finished_cells import cell_in, table_at

from nni_emodarts.errors import ManifestError, RunFolderError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.report.drawings.charts import draw_training
from nni_emodarts.report.page import render, report
from nni_emodarts.report.runs import read_runs
from nni_emodarts.report.utterances import _rank, most_confused
from nni_emodarts.runtime.cell_table import CellKey
from nni_emodarts.runtime.digests import digests_of
from nni_emodarts.runtime.run_folder import RunFolder

Run = Callable[..., tuple[int, str]]
ROOT = Path(__file__).parents[2]


class Page(HTMLParser):
    """What a test looks at: headings in order, pictures, addresses, labels."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.images: list[dict[str, str | None]] = []
        self.addresses: list[str] = []
        self.identities: list[str] = []
        self.audio = 0
        self.tables = 0
        self.captions = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.addresses += [str(held[name]) for name in ("src", "href") if name in held]
        self.identities += [str(held["id"])] if "id" in held else []
        self.images += [held] if tag == "img" else []
        self.audio += tag == "audio"
        self.tables += tag == "table"
        self.captions += tag == "caption"


@pytest.fixture(scope="module")
def text(search_run: Path, retrain_run: Path) -> str:
    return render(read_runs([f"first={retrain_run}", str(search_run), f"cell={retrain_run / 'fold_01' / 'seed_2'}"]))


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_page_needs_nothing_beside_it(text: str, page: Page) -> None:
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert {address[1:] for address in page.addresses if address.startswith("#")} <= set(page.identities)
    assert len(set(page.identities)) == len(page.identities)
    assert "url(" not in text
    assert "@import" not in text


def test_the_page_can_be_read_by_all(text: str, page: Page) -> None:
    assert '<html lang="en">' in text
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert len(page.images) >= 10
    assert all(len(str(image["alt"])) > 20 for image in page.images)
    assert page.captions == page.tables
    assert 'for="' in text


def test_the_page_holds_the_figures(text: str, retrain_run: Path) -> None:
    metrics = json.loads((retrain_run / "metrics.json").read_text())
    assert f"<strong>{metrics['test_uar']:.3f}</strong>" in text
    assert f"± {metrics['test_uar_std']:.3f}" in text
    for figures in metrics["seeds"].values():
        assert f"{figures['test_uar']:.3f}" in text
    for recall in metrics["recall"].values():
        assert f"{recall:.3f}" in text
    assert "not honest" in text, "the retraining was made with --allow-overlap"
    assert "mel_bands: 40" in text
    assert Architecture.load(retrain_run / "architecture.json").id in text
    assert 'type="range"' in text


def test_a_search_that_has_not_decided_is_warned_of(text: str) -> None:
    assert "<p>Undecided: entropy 1.00 of 1" in text
    assert '<p class="warn"><strong>The search is undecided: its choices are still mixed' in text


def test_nothing_is_embedded_unasked(page: Page, retrain_run: Path) -> None:
    assert page.audio == 0
    (run,) = read_runs([str(retrain_run)])
    with_sound = Page(render([run], audio=True, worst=3))
    assert with_sound.audio == len(most_confused(run, 3)) > 0
    assert sum(address.startswith("data:audio/wav") for address in with_sound.addresses) == with_sound.audio


def test_the_most_confused_utterances(retrain_run: Path) -> None:
    (run,) = read_runs([str(retrain_run)])
    table = run.predictions
    assert table is not None
    worst = most_confused(run, 5)
    assert len(worst) == 5
    for each in worst:
        rows = table[table["file"] == each.file]
        assert (rows["emotion"] == each.emotion).all()
        assert each.seeds == len(rows) == 2
        assert each.wrong == (rows["predicted"] != rows["emotion"]).sum() == 2
        assert each.p_true == pytest.approx(rows[f"p_{each.emotion}"].mean())
    margins = [each.p_true - each.p_predicted for each in worst]
    assert margins == sorted(margins)


def test_sound_that_is_gone_is_reported(retrain_run: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(retrain_run, tmp_path / "moved")
    for file in moved.glob("**/config.yml"):
        file.write_text(re.sub("manifest: .*", "manifest: gone.csv", file.read_text()))
    runs = read_runs([str(moved)])
    render(runs[:1], worst=1)
    with pytest.raises(ManifestError, match=r"gone\.csv"):
        render(runs, audio=True)


def rename_class(run: Path, old: str, new: str) -> None:
    """A run of another class, as anybody may hand it on: its files agree with each other."""
    for name in ("predictions.csv", "metrics.json"):
        (run / name).write_text((run / name).read_text().replace(old, new))
    metrics = json.loads((run / "metrics.json").read_text())
    stated = digests_of(RunFolder(run), metrics["digests"])
    (run / "metrics.json").write_text(json.dumps({**metrics, **stated}))


def test_labels_are_text_and_never_markup(retrain_run: Path, tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>"
    moved = shutil.copytree(retrain_run / "fold_00" / "seed_1", tmp_path / "run")
    rename_class(moved, "anger", bad)
    shown = render(read_runs([f"{bad[:8].strip('<')}={moved}"]))
    assert bad not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_an_experiment_is_read(retrain_run: Path, search_run: Path, tmp_path: Path) -> None:
    trials = tmp_path / "experiment" / "environments" / "local-env" / "trials"
    for number, fold in enumerate((0, 1)):
        trial = shutil.copytree(retrain_run / f"fold_0{fold}" / "seed_1", trials / f"trial{number}")
        if fold == 0:
            shutil.copytree(search_run, trial / "search")
    (run,) = read_runs([str(tmp_path / "experiment")])
    assert run.folds == [0, 1]
    assert [search.name for search in run.searches] == ["fold 0, seed 1"]
    assert run.kind == "searched and trained"
    shutil.copytree(trials / "trial0", trials / "twice")
    with pytest.raises(RunFolderError, match="several networks of fold 0, seed 1"):
        read_runs([str(tmp_path / "experiment")])


def test_a_retrained_architecture_is_drawn_with_the_strengths_of_its_search(
    retrain_run: Path, search_run: Path
) -> None:
    both = Page(render(read_runs([str(retrain_run), str(search_run)]), worst=0))
    alone = Page(render(read_runs([str(retrain_run)]), worst=0))
    strength = [sum("(strength" in str(image["alt"]) for image in page.images) for page in (both, alone)]
    assert strength == [6, 0], "three cells, in both runs"


def test_a_search_by_trials_is_read(search_run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "trials"
    folder.mkdir()
    for name in ("architecture.json", "config.yml", "metrics.json"):
        shutil.copy(search_run / name, folder / name)
    rows = ["0,a,trained,0.5,100,1", "1,b,failed,,,0", "2,c,trained,0.75,100,1"]
    (folder / "candidates.csv").write_text("\n".join(["candidate,id,status,val_uar,parameters,seconds", *rows]) + "\n")
    shown = render(read_runs([str(folder)]))
    assert "3 candidates" in shown
    assert 'type="range"' not in shown


def test_a_benchmark_is_read() -> None:
    runs = read_runs([str(ROOT / "docs" / "results" / "emodb4-loso.json")])
    summary = json.loads((ROOT / "docs" / "results" / "emodb4-loso.json").read_text())
    by_name = {run.name: run for run in runs}
    for method in summary["methods"]:
        rows = by_name[method["name"]].stacked
        assert rows is not None
        assert rows.shape[1] == method["speakers"]
        assert rows.sum() == method["utterances"] * len(method["seeds"])
    (svm,) = [method for method in summary["methods"] if method["name"] == "compare_svm"]
    assert f"{svm['uar_mean']:.3f}" in render([by_name["compare_svm"]])
    searched = by_name["darts"]
    one = replace(searched, networks=searched.networks[:1])  # each network is drawn, which takes a while
    assert one.networks[0].metrics["architecture"]["id"] in render([one])


def test_only_what_a_benchmark_sums_up_is_read(tmp_path: Path) -> None:
    """Cells of a seed that is not finished lie beside the others while it runs."""
    source = ROOT / "docs" / "results"
    shutil.copy(source / "emodb4-loso.json", tmp_path)
    shutil.copytree(source / "cells", tmp_path / "cells")
    table = table_at(tmp_path, "emodb4-loso")
    table.append(cell_in(tmp_path, "compare_svm", name="emodb4-loso").model_copy(update={"seed": 9}))
    by_name = {run.name: run for run in read_runs([str(tmp_path / "emodb4-loso.json")])}
    assert by_name["compare_svm"].seeds == [1]
    assert by_name["compare_svm"].stacked is not None
    table.drop([CellKey("compare_svm", 3, 1)])
    assert len(read_runs([str(tmp_path / "emodb4-loso.json")])) == len(by_name)
    table.file.write_bytes(table.file.read_bytes()[:-100])
    with pytest.raises(RunFolderError, match=r"cells of compare_svm are not in .*emodb4-loso\.jsonl; .* was cut off"):
        read_runs([str(tmp_path / "emodb4-loso.json")])


def test_a_benchmark_whose_cells_were_kept_as_files_is_read(tmp_path: Path) -> None:
    source = ROOT / "docs" / "results"
    shutil.copy(source / "ravdess-6fold.json", tmp_path)
    folder = tmp_path / "cells" / "ravdess-6fold"
    folder.mkdir(parents=True)
    for key, cell in table_at(source, "ravdess-6fold").read().cells.items():
        name = f"{key.method}-fold_{key.fold:02d}-seed_{key.seed}.json"
        (folder / name).write_text(json.dumps(cell.to_data(), indent=1))
    now, then = (read_runs([str(place / "ravdess-6fold.json")]) for place in (source, tmp_path))
    assert [run.name for run in now] == [run.name for run in then]
    assert all(np.array_equal(one.stacked, other.stacked) for one, other in zip(now, then, strict=True))
    assert len(list(folder.iterdir())) == 102, "a report changes nothing"


def test_a_figure_that_an_epoch_lacks(search_run: Path, tmp_path: Path) -> None:
    """ENAS has no reward in the warm-up."""
    folder = shutil.copytree(search_run, tmp_path / "search")
    history = pd.read_csv(folder / "history.csv")
    history["reward"] = [None, *[0.25] * (len(history) - 1)]
    history.to_csv(folder / "history.csv", index=False)
    assert "reward 0.25" in render(read_runs([str(folder)]))


def test_a_ring_marks_the_epoch_that_is_kept() -> None:
    history = pd.DataFrame({"epoch": [1, 2, 3], "val_uar": [0.4, 0.6, 0.5]})
    (axes,) = draw_training({"one": history}, {"one": 3}).axes
    ring = next(line for line in axes.lines if line.get_markersize() == 8)
    assert [*ring.get_xdata(), *ring.get_ydata()] == [3, 0.5]


@pytest.mark.parametrize("networks", [1, 6])
def test_losses_stand_beside_the_uar_where_they_were_recorded(networks: int) -> None:
    history = pd.DataFrame(
        {"epoch": [1, 2], "train_loss": [1.4, 0.9], "val_uar": [0.4, 0.6], "val_loss": [1.3, 1.1]},
    )
    histories = {f"network {number}": history for number in range(networks)}
    _, losses = draw_training(histories, {}).axes
    last = {line.get_linestyle(): list(line.get_ydata()) for line in losses.lines if line.get_linestyle() != "None"}
    assert last["--"] == [1.4, 0.9]
    drawn = [list(line.get_ydata()) for line in losses.lines]
    assert drawn.count([1.3, 1.1]) == drawn.count([1.4, 0.9]) == (networks if networks <= 4 else networks + 1)


@pytest.mark.parametrize("fold_of_b", [0, 1])
def test_segments_of_one_file_are_reported_apart_by_fold_and_speaker(fold_of_b: int) -> None:
    """Two speakers of a dialogue, of whom B's alone is not recognised."""
    said = ((0, "A", "anger"), (fold_of_b, "B", "sadness"))
    rows = [(fold, seed, "talk.wav", speaker, "anger", predicted, 0.2, 0.8)
            for seed in (1, 2) for fold, speaker, predicted in said]  # fmt: skip
    names = ["fold", "seed", "file", "speaker", "emotion", "predicted", "p_anger", "p_sadness"]
    (worst,) = _rank(pd.DataFrame(rows, columns=names), ("anger", "sadness"))
    assert (worst.speaker, worst.part, worst.wrong, worst.seeds) == ("B", 0, 2, 2)


def test_what_is_no_run_is_reported(emodarts: Run, search_run: Path, tmp_path: Path) -> None:
    for words in (["nothing"], [tmp_path], [search_run, search_run]):
        code, said = emodarts("report", *words, "--out", tmp_path / "report.html")
        assert code == 2
        assert "name" in said
    assert not (tmp_path / "report.html").exists()


def test_report_command(emodarts: Run, search_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "report.html"
    code, said = emodarts("report", search_run, "--out", out)
    assert code == 0, said
    assert out.read_text().startswith("<!doctype html>")
    code, said = emodarts("report", search_run, "--out", out)
    assert code == 2
    assert "--overwrite" in said
    with pytest.raises(RunFolderError, match="exists"):
        report([str(search_run)], out)


def test_networks_of_different_classes_are_no_run(retrain_run: Path, tmp_path: Path) -> None:
    shutil.copytree(retrain_run, tmp_path / "run")
    rename_class(tmp_path / "run" / "fold_01" / "seed_2", "anger", "calm")
    with pytest.raises(RunFolderError, match=r"classes anger, .* and of calm, .*which cannot be pooled"):
        read_runs([str(tmp_path / "run")])
