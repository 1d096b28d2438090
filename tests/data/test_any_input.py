"""Whatever bytes a file holds: a message and exit code 2, never a traceback."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nni_emodarts.config import load_config
from nni_emodarts.data.corpus import load_corpus
from nni_emodarts.data.describe import describe
from nni_emodarts.data.manifest import read_manifest
from nni_emodarts.errors import BadRecordings
from nni_emodarts.models.space import random_architecture

many = settings(
    max_examples=40, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
Run = Callable[..., tuple[int, str]]

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
anything = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
"""Values of JSON, NaN and infinity included."""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory, small_manifest: Path) -> Path:
    """A folder with a few good recordings."""
    folder = tmp_path_factory.mktemp("any")
    for number, file in enumerate(sorted(small_manifest.parent.rglob("*.flac"))[:4]):
        shutil.copy(file, folder / f"{number}.flac")
    return folder


OFFICIAL = "file,emotion,speaker,split\n0.flac,anger,a,train\n1.flac,calm,b,train\n2.flac,anger,c,validation\n"
"""A manifest to which a test part is to be added."""


def refused(answer: tuple[int, str], *says: str) -> None:
    code, said = answer
    assert code == 2, said
    assert "error:" in said
    for word in says:
        assert word in said


def _recording(kind: str, length: int) -> bytes:
    """A recording of that kind."""
    stream = io.BytesIO()
    samples = np.random.default_rng(0).normal(0, 0.1, (length, 2))
    soundfile.write(stream, samples, 16000, format=kind)
    return stream.getvalue()


WHOLE = {kind: _recording(kind, 4000) for kind in ("WAV", "FLAC", "AIFF", "OGG", "MP3", "AU", "W64", "CAF")}


@st.composite
def damaged_recordings(draw: st.DrawFn) -> bytes:
    """A recording with bytes changed, most often in its header, and its end cut off."""
    data = bytearray(WHOLE[draw(st.sampled_from(sorted(WHOLE)))])
    places = st.integers(0, 63) | st.integers(0, len(data) - 1)
    for place, value in draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=6)):
        data[place] = value
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


@many
@given(st.binary(max_size=300) | damaged_recordings())
def test_any_bytes_as_a_recording(room: Path, emodarts: Run, data: bytes) -> None:
    """`describe` names it and goes on; features are made of it exactly if `describe` finds it usable."""
    (room / "odd.wav").write_bytes(data)
    file = room / "audio.csv"
    file.write_text(OFFICIAL + "odd.wav,calm,d,test\n")
    code, said = emodarts("describe", file)
    assert code == 0, said
    manifest = read_manifest(file)
    found = describe(manifest, threads=1).findings
    unusable = found.loc[found["kind"] == "cannot be used", "file"].tolist()
    config = load_config("tiny")
    if unusable:
        assert unusable == ["odd.wav"]
        with pytest.raises(BadRecordings) as caught:
            load_corpus(config, manifest)
        assert list(caught.value.reasons) == [3]
        refused(emodarts("search", "--manifest", file, "--protocol", "official", "--out", room / "out"), "odd.wav")
    else:
        load_corpus(config, manifest)


@many
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@example(b"file,emotion,speaker\n\x00.wav,a,b\n")
@example(b"\xff\xfef\x00i\x00l\x00e\x00")
@example(b'"file,emotion,speaker\n0.flac,anger,a')
def test_any_bytes_as_a_manifest(room: Path, emodarts: Run, data: bytes) -> None:
    file = room / "noise.csv"
    file.write_bytes(data)
    refused(emodarts("describe", file), "noise.csv")
    refused(emodarts("search", "--manifest", file, "--out", room / "out"), "noise.csv")


cells = st.sampled_from(
    ["0.flac", "1.flac", "anger", "calm", "a", "", "1.5", "-1", "nan", "1e999", ".", "/"]
) | st.text(max_size=5)


@many
@given(
    st.lists(st.sampled_from(["emotion", "speaker", "gender", "split", "session", "start", "end", "odd"]), max_size=6),
    st.lists(st.lists(cells, max_size=8), max_size=3),
)
def test_any_table_as_a_manifest(room: Path, emodarts: Run, columns: list[str], rows: list[list[str]]) -> None:
    file = room / "table.csv"
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["file", "emotion", "speaker", *columns], *rows])
    code, said = emodarts("describe", file)
    assert code in (0, 2), said
    for protocol in ("loso", "session", "kfold:2", "official"):
        words = ["search", "--manifest", file, "--protocol", protocol, "--fold", 5, "--out", room / "out"]
        refused(emodarts(*words))


sections = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("preset", "data", "features", "space", "search", "retrain", "device"), anything)
)


@many
@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode) | sections.map(json.dumps).map(str.encode))
@example(b"2001-99-99")
@example(b"data: {protocol: 2001-99-99}")
@example(b"a: &x {b: *x}")
@example(b"search: &x {options: *x}")
@example(b"[" * 5000)
@example(b"!!python/object/apply:os.system ['true']")
@example(b"preset: {a: b}")
@example(b"{1: 2}")
def test_any_bytes_as_a_configuration(small_manifest: Path, room: Path, emodarts: Run, data: bytes) -> None:
    file = room / "odd.yml"
    file.write_bytes(data)
    # fold 99 does not exist, so that a configuration that happens to do is refused as well
    words = ["--manifest", small_manifest, "--out", room / "out", "--fold", 99]
    refused(emodarts("search", "--config", file, *words))


@many
@given(st.text(max_size=20) | st.sampled_from(["data", "space", "search.options"]), st.text(max_size=20))
@example("search.epochs", "2001-99-99")
@example("space.cnn_cells", "[" * 3000)
def test_any_setting(small_manifest: Path, room: Path, emodarts: Run, key: str, value: str) -> None:
    words = ["--manifest", small_manifest, "--out", room / "out", "--fold", 99]
    refused(emodarts("search", f"--set={key}={value}", *words))


def paths(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in JSON data."""
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from paths(value, (*path, key))


GOOD = random_architecture(load_config("tiny").space, 4, (1, 40), 0).to_dict()


@st.composite
def odd_architectures(draw: st.DrawFn) -> bytes:
    """A good architecture with some places changed."""
    data = json.loads(json.dumps(GOOD))
    for path in draw(st.lists(st.sampled_from(sorted(paths(GOOD), key=repr)[1:]), min_size=1, max_size=3)):
        inner = data
        try:
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = draw(anything)
        except (KeyError, IndexError, TypeError):  # an earlier change has removed the place
            continue
    return json.dumps(data).encode()


@many
@given(st.binary(max_size=100) | anything.map(json.dumps).map(str.encode) | odd_architectures())
@example(b"[" * 100_000)
@example(b"1" * 5000)
@example(json.dumps({**GOOD, "id": "\ud800"}).encode())
@example(json.dumps({**GOOD, "\ud800": 1}).encode())
@example(json.dumps({**GOOD, "choices": {"\ud800": "\ud800"}}).encode())
@example(json.dumps({**GOOD, "num_classes": float("inf"), "input_shape": [float("nan"), 1e999]}).encode())
def test_any_bytes_as_an_architecture(small_manifest: Path, room: Path, emodarts: Run, data: bytes) -> None:
    file = room / "odd.json"
    file.write_bytes(data)
    words = ["--manifest", small_manifest, "--preset", "tiny", "--out", room / "out", "--folds", 99]
    refused(emodarts("retrain", "--architecture", file, *words))


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "holds no utterance"),
        (["0.flac,anger,a", "0.flac,anger,a", "1.flac,calm,b"], "the same file, start and end"),
        (["0.flac,anger,a", ".hidden,calm,b"], ".hidden"),
        (["0.flac,anger,a", "1.flac,calm,a"], "loso needs at least 4 speakers"),
    ],
    ids=["empty", "twice", "hidden folder", "one speaker"],
)
def test_manifests_that_cannot_do(room: Path, emodarts: Run, lines: list[str], says: str) -> None:
    (room / ".hidden").mkdir(exist_ok=True)
    (room / "lame.csv").write_text("\n".join(["file,emotion,speaker", *lines]) + "\n")
    for command in ("search", "experiment"):
        refused(emodarts(command, "--manifest", room / "lame.csv", "--out", room / "out"), says)
    assert not (room / "out").exists()


def test_files_that_systems_leave_behind(room: Path, emodarts: Run) -> None:
    """In a hidden folder a recording is as good as elsewhere; macOS's companion of one is none."""
    (room / ".notes").mkdir()
    shutil.copy(room / "0.flac", room / ".notes" / "0.flac")
    (room / "._1.flac").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ")
    (room / "mac.csv").write_text(OFFICIAL + ".notes/0.flac,anger,d,test\n._1.flac,calm,e,test\n")
    code, said = emodarts("describe", room / "mac.csv")
    assert code == 0
    assert "1 cannot be used" in said
    assert "macOS keeps notes" in said
    words = ["search", "--manifest", room / "mac.csv", "--protocol", "official", "--out", room / "out"]
    refused(emodarts(*words), "1 of 5 recordings cannot be used", "._1.flac")


def test_a_class_that_training_lacks(small_manifest: Path, tmp_path: Path, emodarts: Run) -> None:
    table = pd.read_csv(small_manifest, dtype=str)
    table["file"] = [str(small_manifest.parent / file) for file in table["file"]]
    rare = (table["emotion"] != "anger") | (table["speaker"] == table["speaker"][0])
    table[rare].to_csv(tmp_path / "rare.csv", index=False)
    for command in ("search", "experiment"):
        answer = emodarts(command, "--manifest", tmp_path / "rare.csv", "--out", tmp_path / "out")
        refused(answer, "no training utterance of class anger")
