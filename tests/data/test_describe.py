"""What a manifest's recordings hold, and what is wrong with them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from nni_emodarts.data.describe import describe, write_findings
from nni_emodarts.data.features import audio
from nni_emodarts.data.manifest import read_manifest

RATE = 16000


def tone(seconds: float = 1.0, level: float = 0.1, rate: int = RATE, pitch: float = 220.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * pitch * np.arange(round(seconds * rate)) / rate)


def write_manifest(folder: Path, rows: list[tuple[str, ...]], columns: str = "file,emotion,speaker,gender") -> Path:
    lines = [columns, *(",".join(row) for row in rows)]
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder / "manifest.csv"


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """Recordings of every kind, each called after what is the matter with it."""
    loud = tone()
    noise = np.random.default_rng(0).normal(size=RATE)
    clipped = np.clip(20 * loud, -1, 1)
    pauses = np.concatenate([tone(0.08), np.zeros(RATE)])
    sounds = {
        "good.wav": loud, "clipped.wav": clipped, "quiet.wav": 1e-3 * tone(pitch=300), "pauses.wav": pauses,
        "silent.wav": np.zeros(RATE), "short.wav": tone(0.05), "empty.wav": np.zeros(0),
        "touching.wav": noise / np.abs(noise).max(),
    }  # fmt: skip
    for name, samples in sounds.items():
        soundfile.write(tmp_path / name, samples, RATE)
    soundfile.write(tmp_path / "copy.flac", soundfile.read(tmp_path / "good.wav", dtype="int16")[0], RATE)
    soundfile.write(tmp_path / "stereo.wav", np.stack([tone(rate=8000), tone(rate=8000)], 1), 8000, subtype="PCM_24")
    soundfile.write(tmp_path / "nan.wav", np.array([0.1, np.nan] * RATE), RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "wrong_rate.wav", loud, 7)
    (tmp_path / "text.wav").write_text("no audio")
    whole = (tmp_path / "good.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[: len(whole) // 3])
    names = sorted(file.name for file in tmp_path.iterdir())
    rows = [(name, ("anger", "calm")[row % 2], f"s{row % 3}", "fm"[row % 2]) for row, name in enumerate(names)]
    return write_manifest(tmp_path, rows)


def test_everything_wrong_is_named_and_nothing_else(zoo: Path) -> None:
    description = describe(read_manifest(zoo))
    found = {(file, kind.split()[0]) for kind, file, _ in description.findings.itertuples(index=False)}
    assert found == {
        ("empty.wav", "cannot"), ("nan.wav", "cannot"), ("short.wav", "cannot"), ("silent.wav", "cannot"),
        ("text.wav", "cannot"), ("wrong_rate.wav", "cannot"), ("cut.wav", "with"), ("clipped.wav", "clipped"),
        ("quiet.wav", "quiet"), ("pauses.wav", "mostly"), ("good.wav", "with"),
    }  # fmt: skip
    reasons = dict(zip(description.findings["file"], description.findings["reason"], strict=True))
    assert reasons["good.wav"] == "the same samples as copy.flac, but another emotion"
    assert "lasts 0.05 s" in reasons["short.wav"]
    assert str(zoo.parent) not in "".join(description.findings["reason"]), "names as in the manifest"


def test_the_figures(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(1.0, 0.5), RATE)
    soundfile.write(tmp_path / "b.flac", np.stack([tone(3.0, rate=8000)] * 2, 1), 8000, subtype="PCM_24")
    half = np.where(np.arange(RATE) % 4 == 0, 1.0, 0.25)
    soundfile.write(tmp_path / "c.wav", half, RATE)
    rows = [("a.wav", "anger", "x", "f"), ("b.flac", "all", "y", "m"), ("c.wav", "anger", "x", "f")]
    description = describe(read_manifest(write_manifest(tmp_path, rows)), threads=1)
    np.testing.assert_allclose(description.sounds["seconds"], [1.0, 3.0, 1.0])
    # a sine wave of amplitude a has 20 log10(a / sqrt(2)) dBFS
    np.testing.assert_allclose(description.sounds["level"][:2], 20 * np.log10(np.array([0.5, 0.1]) / 2**0.5), atol=0.01)
    np.testing.assert_allclose(description.sounds["clipped"], [0, 0, 0.25])
    assert description.sounds["format"].tolist() == ["WAV PCM_16", "FLAC PCM_24", "WAV PCM_16"]
    assert description.classes.loc["anger"].to_dict() == {"female": 2, "male": 0, "all": 2, "speakers": 1}
    assert description.classes.loc["(all)"].to_dict() == {"female": 2, "male": 1, "all": 3, "speakers": 2}
    assert description.speakers.loc["x"].to_dict() == {
        "gender": "female",
        "utterances": 2,
        "seconds": 2.0,
        "classes": 1,
    }
    lines = description.lines()
    assert lines["durations"] == "min 1.00 s, median 1.00 s, max 3.00 s, total 0:00:05 h"
    assert lines["sampling rates"] == "16000 Hz (2), 8000 Hz (1)"
    assert lines["channels"] == "1 (2), 2 (1)"
    assert description.notes == ("2 speakers; protocol loso needs at least 4",)


def test_blocks_do_not_change_the_figures(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = describe(read_manifest(zoo))
    monkeypatch.setattr(audio, "BLOCK_SAMPLES", 1001)
    parts = describe(read_manifest(zoo))
    pd.testing.assert_frame_equal(whole.sounds, parts.sounds)
    pd.testing.assert_frame_equal(whole.findings, parts.findings)


def test_segments_are_judged_by_themselves(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "talk.wav", np.concatenate([tone(), np.zeros(RATE), tone()]), RATE)
    rows = [
        ("talk.wav", "anger", "x", "0", "1"),
        ("talk.wav", "calm", "x", "1", "2"),
        ("talk.wav", "calm", "x", "2", "9"),
    ]
    manifest = read_manifest(write_manifest(tmp_path, rows, "file,emotion,speaker,start,end"))
    description = describe(manifest)
    assert description.files == 1
    assert [reason.partition(":")[0] for reason in description.findings["reason"]] == [
        "is silent",
        "end 9 s lies beyond its 3.000 s; correct the manifest",
    ]


def test_findings_as_a_table(zoo: Path, tmp_path: Path) -> None:
    description = describe(read_manifest(zoo))
    write_findings(description, tmp_path / "findings.csv")
    assert pd.read_csv(tmp_path / "findings.csv").shape == description.findings.shape


def test_headers_that_do_not_fit_are_named_and_what_is_there_is_counted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "sound.wav", tone(2.0), RATE)
    data = bytearray((tmp_path / "sound.wav").read_bytes())
    (tmp_path / "joined.wav").write_bytes(bytes(data) * 2)
    for name, size in (("short.wav", RATE), ("unfinished.wav", 0), ("stream.wav", 2**32 - 1)):
        data[40:44] = size.to_bytes(4, "little")
        (tmp_path / name).write_bytes(data)
    names = ["sound.wav", "joined.wav", "short.wav", "unfinished.wav", "stream.wav"]
    (tmp_path / "pointer.wav").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    rows = [(name, "ab"[row % 2], "s", "f") for row, name in enumerate([*names, "pointer.wav"])]
    description = describe(read_manifest(write_manifest(tmp_path, rows)))
    np.testing.assert_allclose(description.sounds["seconds"], [2, 4, 2, 2, 2, np.nan])
    found = description.findings.set_index("file")["reason"]
    headers = description.findings[description.findings["kind"] == "with a header that does not fit"]
    reasons = [reason.removesuffix("; all are read") for reason in headers["reason"]]
    assert dict(zip(headers["file"], reasons, strict=True)) == {
        "joined.wav": "holds 2 recordings one behind the other; all are read, 4.00 s together",
        "short.wav": "its header states 0.50 s, but 2.00 s are there",
        "unfinished.wav": "its header states no sample, as where a recorder stopped early, but 2.00 s are there",
    }
    assert "git lfs pull" in found["pointer.wav"]


def test_a_recording_that_is_too_long_is_not_decoded_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "long.wav", np.tile(tone(1.0, rate=1000), 1200), 1000)
    soundfile.write(tmp_path / "short.wav", tone(), RATE)
    rows = [("long.wav", "a", "s", "f"), ("short.wav", "b", "s", "f")]
    manifest = read_manifest(write_manifest(tmp_path, rows))
    read = 0

    def count(block: np.ndarray) -> np.ndarray:
        nonlocal read
        read += len(block)
        return block.mean(axis=1)

    monkeypatch.setattr(audio, "BLOCK_SAMPLES", 50_000)
    monkeypatch.setattr("nni_emodarts.data.describe.mix_down", count)
    description = describe(manifest, threads=1)
    assert read < 700_000 + RATE
    assert description.sounds["seconds"].tolist() == [1200.0, 1.0]
    assert description.findings["reason"].tolist() == ["lasts more than 600 s; name its utterances by start and end"]


TWO_HOURS = """
import resource, sys
import nni_emodarts.data.features.audio as audio
from nni_emodarts.data.describe import describe
from nni_emodarts.data.manifest import read_manifest
manifest = read_manifest(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
description = describe(manifest, threads=1)
waveform = audio.read_audio(manifest.table["file"][0], 16000, 7190.0, 7195.0)
assert len(waveform) == 80000
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, description.sounds["seconds"].max())
"""


def test_hours_long_recordings_in_bounded_memory(tmp_path: Path) -> None:
    """Two hours decode to 230 MB; the file is a hole but for its beginning and end."""
    file, rate, seconds = tmp_path / "long.wav", 8000, 7200
    soundfile.write(file, tone(1.0, rate=rate), rate)
    head, size = file.read_bytes(), 44 + 2 * rate * seconds
    with file.open("r+b") as stream:
        stream.truncate(size)
        for offset, value in ((4, size - 8), (40, size - 44)):
            stream.seek(offset)
            stream.write(value.to_bytes(4, "little"))
        stream.seek(size - 20 * rate)
        stream.write(head[44:])
    rows = [("long.wav", "anger", "x", "", ""), ("long.wav", "calm", "x", "7190", "7195")]
    manifest = write_manifest(tmp_path, rows, "file,emotion,speaker,start,end")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", TWO_HOURS, str(manifest)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    megabytes, longest = map(float, done.stdout.split())
    assert longest == seconds
    assert megabytes < 80, "some blocks of 4 MB"


def test_channels_that_cancel_each_other_are_as_quiet_as_a_network_hears_them(tmp_path: Path) -> None:
    heard = tone()
    sounds = {"same": (heard, heard), "opposite": (heard, -heard + 1e-4), "one": (heard, 0 * heard)}
    for name, channels in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", np.stack(channels, 1), RATE, subtype="FLOAT")
    rows = [(f"{name}.wav", emotion, "s", "f") for name, emotion in zip(sounds, ("a", "b", "a"), strict=True)]
    description = describe(read_manifest(write_manifest(tmp_path, rows)))
    level = 20 * np.log10(0.1 / np.sqrt(2))
    assert description.sounds["level"].tolist() == pytest.approx([level, -86, level - 20 * np.log10(2)], abs=0.1)
    found = set(zip(description.findings["file"], description.findings["kind"].str.split().str[0], strict=True))
    assert ("opposite.wav", "quiet") in found
    assert not {("same.wav", "quiet"), ("one.wav", "quiet")} & found
