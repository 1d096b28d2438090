"""Whatever is given as a recording: an answer, or why there is none; one odd item ends nothing."""

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from nni_emodarts.deploy import EmotionRecognizer, Failure, Moment, Prediction
from nni_emodarts.deploy.listening import LONGEST_SECONDS, Source, hear
from nni_emodarts.errors import AudioError

RATE = 16000


def loud_or_not(waveforms: Any) -> np.ndarray:
    """A network without weights: how loud each waveform is."""
    power = np.array([float(np.square(each).mean()) for each in waveforms])
    return np.stack([power, 1 - power], 1)


@pytest.fixture
def listener() -> EmotionRecognizer:
    return EmotionRecognizer(loud_or_not, ("loud", "soft"), RATE)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).normal(0, 0.1, 2 * RATE)
    soundfile.write(tmp_path / "clip.wav", noise, RATE)
    return tmp_path / "clip.wav"


def share(answer: Prediction) -> float:
    return answer.probabilities["loud"]


def test_a_file_its_bytes_and_file_objects_give_the_same(listener: EmotionRecognizer, clip: Path) -> None:
    data, expected = clip.read_bytes(), listener.predict(clip)
    with clip.open("rb") as opened, clip.open("rb", buffering=0) as raw, tempfile.SpooledTemporaryFile() as spooled:
        spooled.write(data)  # and left at its end, as uploads are
        given = {
            str(clip): str(clip), "bytes": data, "file": io.BytesIO(data), f"{clip}": opened, f"{clip} ": raw,
        }  # fmt: skip
        for name, recording in given.items():
            answer = listener.predict(recording)
            assert (answer.file, share(answer), answer.notes) == (name.strip(), share(expected), ())
        for recording in (bytearray(data), memoryview(data), spooled):
            assert share(listener.predict(recording)) == share(expected)
        assert not opened.closed
        moments = list(listener.predict_over_time(opened, window=1.0, silence_db=None))
        assert [(each.start, each.end) for each in moments] == [(0.0, 1.0), (0.5, 1.5), (1.0, 2.0)]


@pytest.mark.parametrize(
    "make",
    [
        torch.from_numpy,
        lambda samples: torch.from_numpy(samples)[None],
        lambda samples: torch.from_numpy(samples).requires_grad_(),
        lambda samples: torch.from_numpy(samples).to(torch.float64),
        lambda samples: (torch.from_numpy(samples) * 2**15).to(torch.int16),
        pd.Series,
        np.asfortranarray,
        lambda samples: samples.astype(">f4"),
    ],
)
def test_tensors_are_arrays(listener: EmotionRecognizer, clip: Path, make: Callable[[np.ndarray], Any]) -> None:
    samples = soundfile.read(clip, dtype="float32")[0]
    answer = listener.predict(make(samples), RATE)
    assert answer.file == "array"
    assert share(answer) == pytest.approx(share(listener.predict(clip)), rel=1e-4)
    half = listener.predict(torch.from_numpy(samples).to(torch.bfloat16), RATE)
    assert share(half) == pytest.approx(share(answer), rel=1e-2)


class Odd:
    """Only looks like a file."""

    def read(self) -> bytes:
        """Nothing."""
        return b""


def pipe() -> Any:
    reading, writing = os.pipe()
    os.close(writing)
    return open(reading, "rb")  # noqa: PTH123 - the test closes it


ODD: dict[str, Callable[[], Any]] = {
    "NoneType: is no recording; give a file's name, its bytes, a file opened in binary mode": lambda: None,
    "list: is no recording": lambda: [0.1, 0.2],
    "int: is no recording": lambda: 7,
    "file: is open as text; open it in binary mode": lambda: io.StringIO("text"),
    "file: is no file that can be read": Odd,
    "cannot be sought in, as a pipe; read it to its end and give its bytes": pipe,
    "array: cannot be read as an array": lambda: torch.zeros(3, device="meta"),
    "array: of type object": lambda: np.array([None, 1]),
    "array: of type complex128": lambda: np.zeros(10, complex),
    "array: of shape ()": lambda: np.float64(0.1),
    "array: holds 0 samples": lambda: torch.zeros(0),
    "bytes: is empty (0 bytes)": lambda: b"",
    "bytes: is a web page": lambda: b"<html>no such file</html>",
    "bytes: cannot be decoded": lambda: bytes([7, 250, 9]) * 400,
    "a\0b: no such file": lambda: "a\0b",
    "no such file": lambda: Path("nowhere.wav"),
    "is no regular file": lambda: "/dev/zero",
    "is a folder": lambda: "/",
}  # fmt: skip


@pytest.mark.parametrize("reported", ODD)
def test_one_odd_item_ends_nothing(listener: EmotionRecognizer, clip: Path, reported: str) -> None:
    odd = ODD[reported]()
    rate = RATE if reported.startswith("array") else None
    with pytest.raises(AudioError) as caught:
        listener.predict(odd, rate)
    assert reported in str(caught.value)
    samples = soundfile.read(clip)[0]
    good = samples if rate else clip
    for batch in (1, 3):
        first, failure, last = listener.predict_many([good, odd, good], rate, batch_size=batch)
        assert isinstance(first, Prediction)
        assert isinstance(failure, Failure)
        assert reported in str(failure.error)
        assert isinstance(last, Prediction)
    if hasattr(odd, "close"):
        odd.close()


@pytest.mark.parametrize("rate", ["16000", "fast", 16000.5, -1, 10**9, float("nan"), object(), (16000,)])
def test_sampling_rates_of_arrays(listener: EmotionRecognizer, rate: Any) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, RATE)
    if rate == "16000":
        assert listener.predict(samples, rate) == listener.predict(samples, np.int64(RATE))
        return
    (failure,) = listener.predict_many([samples], rate)
    assert isinstance(failure, Failure)
    assert "must be a whole number of Hz from 1000 to 1000000" in str(failure.error)


def test_a_rate_beside_a_file_is_refused(listener: EmotionRecognizer, clip: Path) -> None:
    for recording in (clip, clip.read_bytes(), io.BytesIO(clip.read_bytes())):
        with pytest.raises(AudioError, match="sampling_rate is for arrays; the file states its own"):
            listener.predict(recording, RATE)


def test_a_header_that_does_not_fit_is_a_note_and_all_is_heard(listener: EmotionRecognizer, clip: Path) -> None:
    data = bytearray(clip.read_bytes())
    whole = list(listener.predict_over_time(clip, window=0.5, overlap=0.0))
    data[40:44] = (RATE // 2).to_bytes(4, "little")
    clip.write_bytes(data)
    note = "its header states 0.25 s, but 2.00 s are there; all are read"
    assert listener.predict(clip).notes == (note,)
    assert listener.predict(bytes(data)).notes == (note,)
    found = list(listener.predict_over_time(clip, window=0.5, overlap=0.0))
    assert [(each.start, each.probabilities) for each in found] == [(each.start, each.probabilities) for each in whole]
    assert [each.notes for each in found] == [(note,), (), (), ()]
    clip.write_bytes(clip.read_bytes()[:40] + bytes(4) + clip.read_bytes()[44:])
    assert len(list(listener.predict_over_time(clip, window=0.5, overlap=0.0))) == 4


def test_more_than_a_day_is_refused_before_it_is_read(
    listener: EmotionRecognizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "day.wav", np.random.default_rng(0).normal(0, 0.1, 1000), 1000)
    size = 44 + 2 * 1000 * (int(LONGEST_SECONDS) + 10)
    with (tmp_path / "day.wav").open("r+b") as stream:
        stream.truncate(size)
        for place, value in ((4, size - 8), (40, size - 44)):
            stream.seek(place)
            stream.write(value.to_bytes(4, "little"))
    monkeypatch.setattr("nni_emodarts.deploy.listening.Survey.add", None)
    with pytest.raises(AudioError, match=r"lasts more than 86400 s; cut it$"):
        next(listener.predict_over_time(tmp_path / "day.wav"))


def test_a_recording_of_many_samples_a_second_is_resampled_as_it_is_read(tmp_path: Path) -> None:
    """Ten minutes at a megahertz would fill gigabytes."""
    import tracemalloc

    rate = 1_000_000
    with soundfile.SoundFile(tmp_path / "fast.wav", "w", rate, 1, "PCM_U8") as file:
        second = np.random.default_rng(0).normal(0, 0.1, rate)
        for _ in range(60):
            file.write(second)
    tracemalloc.start()
    heard = hear(Source.of(tmp_path / "fast.wav"), RATE)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(heard.waveform) == 60 * RATE
    assert peak < 60e6, "the samples alone have 240 MB"


def test_moments_of_bytes(listener: EmotionRecognizer, clip: Path) -> None:
    moments = list(listener.predict_over_time(clip.read_bytes()))
    assert [type(each) for each in moments] == [Moment]
    assert moments[0].file == "bytes"
