"""What a run wrote is reported from everything else, whoever wrote it and under whatever name."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.layout import finished_runs
from nni_emodarts.runtime.run_contents import RunContents
from nni_emodarts.runtime.run_folder import FILES, WRITTEN, RunFolder
from nni_emodarts.runtime.run_names import cell_name, leftover_of, names_run, read_cell_name

CONFIG = "data: {}\nfeatures: {}\nspace: {}\nsearch: {}\nretrain: {}\n"


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def put(folder: Path, names: Iterable[str], text: str = "mine") -> set[str]:
    """Files of somebody else's."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return set(names)


def make_run(path: Path) -> RunFolder:
    """A run over two folds, with a search by trials in it."""
    folder = RunFolder(path)
    folder.path.mkdir(parents=True, exist_ok=True)
    for name in ("corpus.json", "config.yml", "architecture.json", "metrics.json"):
        folder.write_text(name, "{}")
    for fold in (0, 1):
        for name in ("history.csv", "metrics.json", "weights.safetensors"):
            folder.cell(fold, 1).write_text(name, "{}")
    folder.child("final").write_text("weights.safetensors", "")
    candidates = folder.child("search").child("candidates")
    folder.child("search").write_text("search.json", "{}")
    candidates.write_text("config.yml", "")
    candidates.child("0123456789ab").write_text("metrics.json", "{}")
    return folder


def without_lists(folder: Path) -> Path:
    """The same as an earlier version left it, which kept no list and wrote what is read here."""
    for file in folder.rglob(WRITTEN):
        file.unlink()
    (folder / "config.yml").write_text(CONFIG)
    for file in folder.rglob("metrics.json"):
        file.write_text('{"val_uar": 0.5}')
    return folder


BESIDE = (
    "thesis.tex", "fold_00_before/seed_1/metrics.json", "fold_00_2/seed_1/weights.safetensors",
    "fold_0/seed_1/config.yml", "fold_00/seed_1_old/metrics.json", "fold_00/metrics.json",
    "searches/metrics.json", "final_old/weights.safetensors", "search/candidates/notes/metrics.json",
    "fold_00/seed_1/notes.txt", "metrics.json.bak", ".metrics.json.swp", "search/0123456789ab/metrics.json",
    "sample_1/metrics.json",
)  # fmt: skip


@pytest.mark.parametrize("earlier", [False, True])
def test_overwrite_deletes_exactly_what_the_run_wrote(earlier: bool, tmp_path: Path) -> None:
    make_run(tmp_path)
    if earlier:
        without_lists(tmp_path)
    mine = put(tmp_path, BESIDE)
    (tmp_path / "final" / ".weights.safetensors.0123456789abcdef").write_text("half")
    RunFolder.claim(tmp_path, overwrite=True).begin()
    assert everything(tmp_path) == mine


def test_a_run_that_an_earlier_version_began_is_its_own_to_the_last_file(tmp_path: Path) -> None:
    """It goes on with a list from here on; what was there before is on it."""
    make_run(tmp_path)
    mine = put(without_lists(tmp_path), BESIDE)
    folder = RunFolder.claim(tmp_path, resume=True)
    folder.begin()
    folder.write_text("metrics.json", "{}")
    folder.cell(0, 1).write_text("predictions.csv", "")
    del folder
    RunFolder.claim(tmp_path, overwrite=True).begin()
    assert everything(tmp_path) == mine


@pytest.mark.parametrize("name", ["metrics.json", "search.json", "history.csv", "predictions.csv", "checkpoint.ckpt"])
@pytest.mark.parametrize("how", ["overwrite", "resume"])
def test_files_of_another_program_are_never_replaced(name: str, how: str, tmp_path: Path) -> None:
    put(tmp_path, [name], '{"accuracy": 1}')
    with pytest.raises(RunFolderError, match=rf"no run, but a file {name}, which a run would replace"):
        RunFolder.claim(tmp_path, **{how: True})
    RunFolder(tmp_path).write_text("corpus.json", "{}")
    with pytest.raises(RunFolderError, match=rf"a file {name} that its run did not write"):
        RunFolder.claim(tmp_path, **{how: True})
    assert (tmp_path / name).read_text() == '{"accuracy": 1}'


def test_what_was_exported_beside_a_run_is_no_hindrance(tmp_path: Path) -> None:
    make_run(tmp_path)
    mine = put(tmp_path, ["model.onnx", "model.md", "model.int8.onnx"])
    RunFolder.claim(tmp_path, resume=True).begin()
    RunFolder.claim(tmp_path, overwrite=True).begin()
    assert everything(tmp_path) == mine


@pytest.mark.parametrize(
    "lines",
    [
        ["../outside/metrics.json", "/etc/hostname", "thesis.tex", "../outside/"],
        ["notes/", "fold_00/../../outside/", "fold_00_2/seed_1/", "link/", "final/"],
    ],
)
def test_a_list_that_somebody_made_up_reaches_nothing_else(lines: list[str], tmp_path: Path) -> None:
    outside = put(tmp_path, ["outside/metrics.json", "outside/seed_1/metrics.json"])
    run = tmp_path / "run"
    mine = put(run, ["thesis.tex", "notes/metrics.json", "fold_00_2/seed_1/metrics.json"])
    (run / "final").symlink_to(tmp_path / "outside")
    (run / WRITTEN).write_text("\n".join(["corpus.json", *lines]))
    (run / "corpus.json").write_text("{}")
    RunFolder.claim(run, overwrite=True).begin()
    assert everything(run) == mine
    assert everything(tmp_path) >= outside


def test_lists_of_several_writers_hold_what_each_wrote(tmp_path: Path) -> None:
    writers = [RunFolder(tmp_path) for _ in range(3)]
    for number, writer in enumerate(writers):
        writer.cell(number, 1).write_text("metrics.json", "{}")
        writer.write_text("corpus.json", "{}")
    assert RunContents(tmp_path).files == ["corpus.json"]
    assert [run.parent.name for run in RunContents(tmp_path).runs] == ["fold_00", "fold_01", "fold_02"]


def test_a_list_that_a_full_disk_cut_goes_on_with_a_line_of_its_own(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_text("corpus.json", "{}")
    with (tmp_path / WRITTEN).open("a") as stream:
        stream.write("weights.saf")
    RunFolder(tmp_path).write_text("metrics.json", "{}")
    assert RunContents(tmp_path).files == ["metrics.json", "corpus.json"]


def test_only_a_run_is_gone_on_with(tmp_path: Path) -> None:
    put(tmp_path, ["a/thesis.tex"])
    with pytest.raises(RunFolderError, match="holds no run to go on with"):
        RunFolder.claim(tmp_path / "a", resume=True)
    (tmp_path / "b" / "fold_00" / "seed_1").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    put(tmp_path, ["d/.corpus.json.0123456789abcdef"])
    RunFolder(tmp_path / "e").path.mkdir()
    RunFolder(tmp_path / "e").note("corpus.json")
    for killed_at_once in "bcdef":
        RunFolder.claim(tmp_path / killed_at_once, resume=True).begin()
    make_run(tmp_path / "run")
    put(tmp_path, ["run/thesis.tex"])
    RunFolder.claim(tmp_path / "run", resume=True).begin()


def test_what_killed_writers_left_is_swept(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    mine = put(tmp_path, [".metrics.json.swp", ".notes.0123456789abcdef", "fold_00_2/.metrics.json.0123456789abcdef"])
    there = everything(tmp_path)
    places = (folder, folder.cell(1, 1), folder.child("search", "candidates", "0123456789ab"))
    for place in places:
        for name in ("metrics.json", "checkpoint.ckpt"):
            (place.path / f".{name}.{'0123456789abcdef'}").write_text("half")
    RunFolder.claim(tmp_path, resume=True).begin()
    assert everything(tmp_path) == there
    assert mine <= there


def test_a_taken_folder_is_never_advised_to_be_destroyed_once_it_is_finished(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_text("corpus.json", "{}")
    assert "--overwrite the run" in folder.remedy
    folder.cell(0, 1).write_text("metrics.json", "{}")
    assert folder.remedy == "name another folder"
    with pytest.raises(RunFolderError, match=r"not empty.*--resume.*\(--overwrite deletes it\)"):
        RunFolder.claim(tmp_path)


def test_pooling_takes_networks_of_exact_names_alone(tmp_path: Path) -> None:
    figures = json.dumps({"classes": ["a", "b"], "fold": 0, "seed": 1})
    names = ("fold_00/seed_1", "fold_11/seed_20", "fold_100/seed_3")
    put(tmp_path, [f"{name}/metrics.json" for name in names], figures)
    put(tmp_path, [f"{name}/metrics.json" for name in ("fold_00_2/seed_1", "fold_00/seed_01", "fold_0/seed_1",
                                                       "fold_007/seed_1", "fold_00/seed_1_old")], figures)  # fmt: skip
    assert [run.path.relative_to(tmp_path).as_posix() for run in finished_runs(tmp_path)] == list(names)
    assert list(RunFolder(tmp_path).cells("metrics.json")) == [(0, 1), (11, 20), (100, 3)]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_names_of_networks_are_read_back(fold: int, seed: int) -> None:
    assert read_cell_name(cell_name(fold, seed)) == (fold, seed)


@given(st.text("fold_/se0123456789.", max_size=20))
def test_no_other_name_is_that_of_a_network(name: str) -> None:
    key = read_cell_name(name)
    assert key is None or cell_name(*key) == name
    assert not names_run("run", f"{name}/..")


@pytest.mark.parametrize("name", FILES)
def test_leftovers_are_known_by_their_names(name: str) -> None:
    assert leftover_of(f".{name}.0123456789abcdef") == name
    for other in (name, f".{name}", f".{name}.swp", f"{name}.0123456789abcdef", f".{name}.0123456789abcdef.bak"):
        assert leftover_of(other) is None
