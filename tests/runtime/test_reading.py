"""Files of any kind and size under a name that a person gives: read right, or refused at once with what they are."""

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.errors import RunFolderError
from nni_emodarts.runtime.reading import (
    MEGABYTE,
    MOST_CELLS,
    MOST_COLUMNS,
    MOST_KEYS,
    MOST_LINES,
    UnreadableError,
    decode,
    read_bytes,
    read_json,
    read_table_bytes,
    read_text,
)
from nni_emodarts.runtime.run_folder import RunFolder

TEXT = "emotion;wütend 怒り\nand a second line\n"


def refusal(path: Path, most: int = MEGABYTE) -> str:
    with pytest.raises(UnreadableError) as caught:
        read_text(path, most)
    return str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_text_says_in_what_it_is_written(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "file").write_bytes(TEXT.encode(encoding))
    assert read_text(tmp_path / "file", MEGABYTE) == TEXT


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_known_without_its_mark(encoding: str) -> None:
    assert decode("file;emotion;speaker\nü\n".encode(encoding)) == "file;emotion;speaker\nü\n"


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=80))
def test_any_text_in_utf_8_is_read_as_it_is(text: str) -> None:
    assert decode(text.encode()) == text.removeprefix("\ufeff")


def test_an_encoding_that_cannot_be_known_is_named_by_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes("a\nb\nwütend\n".encode("latin-1"))
    assert refusal(tmp_path / "file") == (
        "is no UTF-8: line 3 would be 'wütend' in Windows-1252; save it as UTF-8, such as by iconv -f WINDOWS-1252 -t "
        "UTF-8"
    )
    (tmp_path / "file").write_bytes(b"a\n\xff\x01\x02")
    assert "line 2 holds bytes that are no text" in refusal(tmp_path / "file")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 3\n", "git lfs pull"),
        (b"\n <!DOCTYPE html>\n<html>404</html>", "web page"),
        (b"PK\x03\x04xl/workbook.xml", r"\.xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", r"\.xls"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"RIFF\x00\x00\x00\x00WAVE", "recording"),
        (b"\x00" * 100, "zeros"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, data: bytes, what: str) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(UnreadableError, match=what):
        read_text(tmp_path / "file", MEGABYTE)


def test_what_never_ends_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    began = time.monotonic()
    assert refusal(tmp_path / "pipe").startswith("is a pipe and no file")
    assert refusal(Path("/dev/zero")).startswith("is a device and no file")
    assert refusal(tmp_path / "sparse") == "is larger than 1 MB, the most that is read of such a file; name another"
    assert time.monotonic() - began < 2
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path, 10)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "absent", 10)


def test_a_file_may_be_as_large_as_it_may(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 100)
    assert len(read_bytes(tmp_path / "file", 100)) == 100
    with pytest.raises(UnreadableError, match="larger than"):
        read_bytes(tmp_path / "file", 99)


def test_json_names_each_key_once(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"a": 1, "b": {"a": 2, "c": [1, {"d": null}]}}')
    assert read_json(file) == json.loads(file.read_text())
    file.write_text('{"a": 1, "b": {"c": 2, "c": 3}}')
    with pytest.raises(UnreadableError, match="names 'c' twice"):
        read_json(file)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "1" * 5000, "\ufeff", '{"a": ' * 2000])
def test_json_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UnreadableError, match="is no JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("piece", ["[],", '{"a": 1},', '"a": 1,'])
def test_json_with_too_much_in_it(tmp_path: Path, piece: str) -> None:
    text = "[" + piece * (MOST_KEYS + 1) + "0]"
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UnreadableError, match="more than 200,000 keys or lists"):
        read_json(tmp_path / "a.json")


def test_a_table_is_counted_before_it_is_parsed(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a,b\n1,2\n")
    assert read_table_bytes(file) == b"a,b\n1,2\n"
    file.write_bytes(b"a\n" + b"," * MOST_CELLS)
    with pytest.raises(UnreadableError, match="cells, more than the 6,000,000"):
        read_table_bytes(file)
    file.write_bytes(b"a\n" * (MOST_LINES + 1))
    with pytest.raises(UnreadableError, match="1,000,001 lines, more than the 1,000,000"):
        read_table_bytes(file)
    file.write_bytes(b";" * MOST_COLUMNS + b"\n")
    with pytest.raises(UnreadableError, match="columns, more than the 10,000"):
        read_table_bytes(file, b",;")


@pytest.mark.parametrize("name", ["metrics.json", "predictions.csv", "config.yml"])
def test_a_run_s_files_are_read_within_bounds(tmp_path: Path, name: str) -> None:
    folder = RunFolder(tmp_path)
    read = {"json": folder.read_json, ".csv": folder.read_csv, ".yml": folder.read_text}[name[-4:]]
    os.mkfifo(tmp_path / name)
    with pytest.raises(RunFolderError, match=rf"{name} is a pipe and no file"):
        read(name)
    (tmp_path / name).unlink()
    with (tmp_path / name).open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(RunFolderError, match=rf"{name} is larger than"):
        read(name)


def test_deep_json_in_a_run_is_a_fault_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text("[" * 100_000)
    with pytest.raises(RunFolderError, match=r"metrics\.json is no JSON"):
        RunFolder(tmp_path).read_json("metrics.json")


def test_columns_can_be_added_to_a_table_of_many_classes(tmp_path: Path) -> None:
    """pandas warns of its own whoever adds a column to a table of many pieces; warnings are errors here."""
    head = ["fold", "seed", "file", "speaker", "emotion", "predicted", *(f"p_{number}" for number in range(200))]
    (tmp_path / "predictions.csv").write_text(",".join(head) + "\n" + ",".join(["1"] * len(head)) + "\n")
    table = RunFolder(tmp_path).read_csv("predictions.csv")
    assert table.assign(gender="male")["gender"].tolist() == ["male"]
