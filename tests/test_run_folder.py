import errno
import json
import math
from pathlib import Path

import pandas as pd
import pytest

from nni_emodarts.errors import RunFolderError
from nni_emodarts.run_folder import RunFolder, config_beside, write_atomically


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
    folder.write_text("metrics.json", "{}")
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "fold_notes").mkdir()
    RunFolder.claim(tmp_path, overwrite=True).begin()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold_notes", "thesis.tex"]


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
    RunFolder(tmp_path).write_text("config.yml", "")
    package = RunFolder(tmp_path).child("candidates")
    package.write_text("code.py", "")
    RunFolder.claim(tmp_path, overwrite=True).begin()
    assert not (tmp_path / "config.yml").exists()
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


def test_json_and_tables_come_back_as_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_json("metrics.json", {"test_uar": 0.5, "recall": {"Wut": math.nan}, "seeds": [1, 2]})
    assert json.loads((tmp_path / "metrics.json").read_text()) == {
        "test_uar": 0.5, "recall": {"Wut": None}, "seeds": [1, 2],
    }  # fmt: skip
    table = pd.DataFrame({"file": ["03.wav", "NA"], "speaker": ["03", ""], "emotion": ["1", "none"], "p_1": [0.25, 1]})
    folder.write_csv("predictions.csv", table)
    pd.testing.assert_frame_equal(folder.read_csv("predictions.csv"), table, check_dtype=False)
    with pytest.raises(RunFolderError, match=r"environment\.json"):
        folder.read_json("environment.json")
    folder.write_text("metrics.json", "[]")
    with pytest.raises(RunFolderError, match="no object"):
        folder.read_json("metrics.json")


def test_the_configuration_beside_an_architecture(tmp_path: Path) -> None:
    assert config_beside(tmp_path / "architecture.json") is None
    (tmp_path / "config.yml").write_text("")
    assert config_beside(tmp_path / "architecture.json") == tmp_path / "config.yml"
