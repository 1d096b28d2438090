import errno
import json
import math
import os
import stat
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.run_folder import RunFolder, config_beside, refuse_different_corpora
from nni_emodarts.runtime.writing import write_atomically


def test_a_taken_folder_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "a" / "out"
    RunFolder.claim(out).write_json("metrics.json", {"val_uar": 0.5})
    with pytest.raises(RunFolderError, match=r"not empty.*--resume.*--overwrite"):
        RunFolder.claim(out)
    assert RunFolder.claim(out, resume=True).has("metrics.json")


def test_overwrite_deletes_a_run_and_nothing_else(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.cell(0, 1).write_text("metrics.json", "{}")
    folder.child("final").write_text("weights.safetensors", "")
    (tmp_path / "final" / "ship.onnx").write_text("what was exported")
    folder.child("candidates", "0123456789ab").write_text("error.txt", "why")
    folder.child("candidates").write_text("search.json", "{}")
    (tmp_path / "candidates" / ".search.json.0123456789abcdef").write_text("half")
    folder.write_text("metrics.json", "{}")
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "fold_00_notes").mkdir()
    (tmp_path / "fold_00_notes" / "config.yml").write_text("mine")
    RunFolder.claim(tmp_path, overwrite=True).begin()
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["final", "final/ship.onnx", "fold_00_notes", "fold_00_notes/config.yml", "thesis.tex"]


@pytest.mark.parametrize("name", ["config.yml", "architecture.json"])
@pytest.mark.parametrize("how", [{}, {"overwrite": True}, {"resume": True}])
def test_a_file_of_one_s_own_is_no_run(name: str, how: dict[str, bool], tmp_path: Path) -> None:
    """Such as the settings that a search is given, in the folder that it is reported to write to."""
    (tmp_path / name).write_text("mine")
    RunFolder(tmp_path).child("final").write_text("weights.safetensors", "")
    with pytest.raises(RunFolderError, match=rf"holds no run, but a file {name}, .*move that file"):
        RunFolder.claim(tmp_path, **how)
    assert (tmp_path / name).read_text() == "mine"
    RunFolder(tmp_path).write_text("corpus.json", "{}")
    with pytest.raises(RunFolderError, match=rf"holds a file {name} that its run did not write.*move that file"):
        RunFolder.claim(tmp_path, **how)
    RunFolder(tmp_path).write_text(name, "the run's")
    RunFolder.claim(tmp_path, overwrite=True).begin()
    assert not any(tmp_path.iterdir())


def test_a_run_that_is_replaced_stays_until_the_new_one_begins(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_text("metrics.json", "{}")
    folder = RunFolder.claim(tmp_path, overwrite=True)
    assert folder.has("metrics.json")
    folder.begin()
    assert not folder.has("metrics.json")
    folder.write_text("metrics.json", "{}")
    folder.begin()
    assert folder.has("metrics.json"), "what began is its own"
    empty = RunFolder.claim(tmp_path / "empty", overwrite=True)
    empty.begin()
    empty.write_text("metrics.json", "{}")
    empty.begin()
    assert empty.has("metrics.json"), "here, too"


def test_overwrite_deletes_no_run_beside_it_and_no_folder_of_such_a_name(tmp_path: Path) -> None:
    RunFolder(tmp_path).child("search").write_text("metrics.json", "{}")
    RunFolder.claim(tmp_path, overwrite=True).begin()
    assert RunFolder(tmp_path / "search").has("metrics.json"), "this folder holds no run, but one that does"
    RunFolder(tmp_path).write_text("corpus.json", "")
    package = RunFolder(tmp_path).child("candidates")
    package.write_text("code.py", "")
    RunFolder.claim(tmp_path, overwrite=True).begin()
    assert not (tmp_path / "corpus.json").exists()
    assert not (tmp_path / "search").exists(), "here it is the run's"
    assert package.has("code.py")


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(RunFolderError, match="is a file"):
        RunFolder.claim(tmp_path / "out")
    with pytest.raises(RunFolderError, match="name another"):
        RunFolder.claim(tmp_path / "out" / "below")


def test_writes_are_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.json"
    write_atomically(path, b"old")

    def fail(handle: int) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full") as caught:
        write_atomically(path, b"new")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["metrics.json"]


@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_files_are_for_whom_the_umask_says(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "file", b"data")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == mode


def test_networks_of_two_corpora_are_not_of_one_run(tmp_path: Path) -> None:
    runs = [RunFolder(tmp_path / name) for name in "abc"]
    for run, noted in zip(runs, ({"manifest": "1", "protocol": "loso"}, {"manifest": "1"}, None), strict=True):
        run.path.mkdir()
        if noted is not None:
            run.write_json("corpus.json", noted)
    refuse_different_corpora("these", runs)
    runs[1].write_json("corpus.json", {"manifest": "1", "protocol": "kfold:3"})
    with pytest.raises(RunFolderError, match=r"these: .*a and .*b are runs of different protocols"):
        refuse_different_corpora("these", runs)
    runs[1].write_json("corpus.json", {"manifest": "2", "protocol": "loso"})
    with pytest.raises(RunFolderError, match="different manifests"):
        refuse_different_corpora("these", runs)


def test_json_and_tables_come_back_as_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json("metrics.json", {"test_uar": 0.5, "recall": {"Wut": math.nan}, "seeds": [1, 2]})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "test_uar": 0.5, "recall": {"Wut": None}, "seeds": [1, 2],
    }  # fmt: skip
    table = pd.DataFrame({"file": ["03.wav", "NA"], "speaker": ["03", ""], "emotion": ["1", "none"], "p_1": [0.25, 1]})
    table = table.assign(fold=0, seed=[1, 2], predicted="1")
    folder.write_csv("predictions.csv", table)
    pd.testing.assert_frame_equal(folder.read_csv("predictions.csv"), table, check_dtype=False)
    with pytest.raises(RunFolderError, match=r"environment\.json"):
        folder.read_json("environment.json")
    folder.write_text("metrics.json", "[]")
    with pytest.raises(RunFolderError, match="no object"):
        folder.read_json("metrics.json")


@pytest.mark.parametrize(
    ("name", "text", "lack"),
    [
        ("predictions.csv", "fold,seed,file,speaker,emotion\n0,1,a.wav,anna,joy\n", "predicted"),
        ("alphas.csv", "epoch,label\n0,normal_2_0\n", "choice, probability"),
        ("history.csv", "<html>\n", "epoch or candidate, val_uar"),
    ],
)
def test_a_table_that_lacks_a_column_is_refused(tmp_path: Path, name: str, text: str, lack: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(RunFolderError, match=rf"{name} lacks the columns {lack}; restore it") as reported:
        RunFolder(tmp_path).read_csv(name)
    assert "--overwrite" not in str(reported.value), "which would destroy what is left of it"


def test_the_configuration_beside_an_architecture(tmp_path: Path) -> None:
    assert config_beside(tmp_path / "architecture.json") is None
    (tmp_path / "config.yml").write_text("")
    assert config_beside(tmp_path / "architecture.json") == tmp_path / "config.yml"


def test_columns_are_added_to_a_table_of_hundreds_without_a_warning(tmp_path: Path) -> None:
    """pandas warns of a table whose columns lie one by one, as it reads them; here a warning is an error."""
    folder = RunFolder.claim(tmp_path / "run")
    table = pd.DataFrame({"fold": [0], "seed": [1], "file": ["a"], "speaker": ["b"], "emotion": ["c"]})
    shares = pd.DataFrame(np.full((1, 300), 1 / 300), columns=[f"p_class {number}" for number in range(300)])
    folder.write_csv("predictions.csv", pd.concat([table.assign(predicted="d"), shares], axis=1))
    read = folder.read_csv("predictions.csv")
    read["another"] = 1
    assert read.shape == (1, 307)
