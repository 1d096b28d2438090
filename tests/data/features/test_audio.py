import numpy as np
import pytest
import soundfile
import soxr

from nni_emodarts.data.features import read_audio
from nni_emodarts.data.features.audio import Resampler, open_stretch
from nni_emodarts.errors import AudioError

RATE = 16000


@pytest.mark.parametrize(
    ("suffix", "subtype"), [(".wav", "PCM_16"), (".wav", "PCM_24"), (".wav", "FLOAT"), (".flac", "PCM_24")]
)
@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_any_rate_depth_and_channel_count_gives_the_same_sound(tmp_path, rate, channels, suffix, subtype):
    seconds, file = 0.5, tmp_path / f"sound{suffix}"
    source = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)
    gains = np.linspace(0.5, 1.5, channels) if channels > 1 else np.ones(1)  # their mean is 1
    soundfile.write(file, source[:, np.newaxis] * gains, rate, subtype=subtype)

    waveform = read_audio(file, RATE)

    assert waveform.dtype == np.float32
    assert waveform.shape == (int(seconds * RATE),)
    expected = 0.3 * np.sin(2 * np.pi * 440 * np.arange(len(waveform)) / RATE)
    inner = slice(800, -800)  # a resampling filter sees the edges as silence
    np.testing.assert_allclose(waveform[inner], expected[inner], atol=2e-4)  # 16 bits: 3e-5, and the filter's ripple


def test_segment_equals_slice(tmp_path, tone):
    file, source = tmp_path / "long.wav", tone(2.0, RATE)
    soundfile.write(file, source, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(file, RATE, 0.5, 1.25), source[8000:20000])
    np.testing.assert_array_equal(read_audio(file, RATE, start=1.5), source[24000:])
    np.testing.assert_array_equal(read_audio(file, RATE, end=0.25), source[:4000])
    np.testing.assert_array_equal(read_audio(file, RATE, 1.5, 2.05), source[24000:])  # a rounded annotation


def test_a_telephone_codec_that_cannot_be_sought_in_is_read(tmp_path, tone):
    file = tmp_path / "call.wav"
    soundfile.write(file, tone(2.0, 8000), 8000, subtype="GSM610")
    with soundfile.SoundFile(file) as sound:
        assert not sound.seekable()
    whole = soundfile.read(file, dtype="float32")[0]
    np.testing.assert_array_equal(read_audio(file, 8000), whole)
    np.testing.assert_array_equal(read_audio(file, 8000, 0.5, 1.25), whole[4000:10000])


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 384_000])
@pytest.mark.parametrize("size", [1, 1001, 2**20])
def test_a_waveform_is_resampled_piece_by_piece_as_a_whole(tone, rate, size, monkeypatch):
    whole = tone(0.2 if size == 1 else 1.0, rate)[: 1700 if size == 1 else None]
    resampler = Resampler(rate, RATE)
    pieces = [resampler(whole[first : first + size]) for first in range(0, len(whole), size)]
    found = np.concatenate([*pieces, resampler.rest()])
    np.testing.assert_array_equal(found[: len(whole) * RATE // rate], resampled_at_once(whole, rate))
    assert len(found) >= -(-len(whole) * RATE // rate)


def resampled_at_once(whole, rate):
    return soxr.resample(whole, rate, RATE, quality="HQ")[: len(whole) * RATE // rate]


def test_a_joined_recording_has_the_stretches_of_its_parts(tmp_path, tone):
    parts = [tone(seconds, RATE, seed=number) for number, seconds in enumerate((1.0, 1.5))]
    for number, part in enumerate(parts):
        soundfile.write(tmp_path / f"{number}.flac", part, RATE, subtype="PCM_24")
    both = tmp_path / "both.flac"
    both.write_bytes(b"".join((tmp_path / f"{number}.flac").read_bytes() for number in range(2)))
    whole = np.concatenate([read_audio(tmp_path / f"{number}.flac", RATE) for number in range(2)])
    np.testing.assert_array_equal(read_audio(both, RATE), whole)
    np.testing.assert_array_equal(read_audio(both, RATE, 0.75, 2.25), whole[12000:36000])
    np.testing.assert_array_equal(read_audio(both, RATE, 1.0), whole[16000:])
    with pytest.raises(AudioError, match=r"start 2\.5 s lies outside its 2\.500 s"):
        read_audio(both, RATE, 2.5)


def test_more_samples_of_many_channels_than_an_utterance_has(tmp_path, tone, monkeypatch):
    monkeypatch.setattr("nni_emodarts.data.features.audio.MOST_VALUES", 20_000)
    monkeypatch.setattr("nni_emodarts.data.features.audio.BLOCK_SAMPLES", 5000)
    _write(tmp_path / "one.wav", tone(1.0, RATE))
    _write(tmp_path / "eight.wav", np.stack([tone(1.0, RATE, seed=number) for number in range(8)], 1))
    assert len(read_audio(tmp_path / "one.wav", RATE)) == RATE
    with pytest.raises(AudioError, match="has over 20,000 samples; name its utterances by start and end"):
        read_audio(tmp_path / "eight.wav", RATE)
    assert len(read_audio(tmp_path / "eight.wav", RATE, 0.5, 0.65)) == 2400


def test_a_sampling_rate_that_no_recorder_has_is_refused_before_anything_is_read(tmp_path):
    file = tmp_path / "fast.wav"
    for rate in (1_000_001, 10**9, 2**31 - 1):
        soundfile.write(file, np.zeros(10), RATE)
        data = bytearray(file.read_bytes())
        data[24:28] = rate.to_bytes(4, "little")
        file.write_bytes(data)
        with pytest.raises(AudioError, match=f"states a sampling rate of {rate} Hz"):
            read_audio(file, RATE)


def test_blocks_join_without_a_seam(tmp_path, tone, monkeypatch):
    file = tmp_path / "stereo.wav"
    source = np.stack([tone(0.5, RATE, seed=1), tone(0.5, RATE, seed=2)], axis=1)
    soundfile.write(file, source, RATE, subtype="FLOAT")
    monkeypatch.setattr("nni_emodarts.data.features.audio.BLOCK_SAMPLES", 1001)
    np.testing.assert_array_equal(read_audio(file, RATE), source.mean(axis=1))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100])
def test_a_tenth_of_a_second_is_enough_wherever_it_is_cut(tmp_path, tone, rate):
    _write(tmp_path / "second.wav", tone(1.0, rate), rate)
    for tenth in range(9):
        waveform = read_audio(tmp_path / "second.wav", RATE, tenth / 10, (tenth + 1) / 10)
        assert abs(len(waveform) - RATE / 10) <= RATE / rate + 1


def _write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, subtype="FLOAT")


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("missing.wav", lambda path: None, "no such file"),
        ("folder.wav", lambda path: path.mkdir(), "is a folder"),
        ("noise.wav", lambda path: path.write_bytes(bytes(range(256)) * 4), "cannot be decoded"),
        ("text.raw", lambda path: path.write_text("text"), "is a text"),
        ("nothing.flac", lambda path: path.write_bytes(b""), "is empty"),
        ("empty.wav", lambda path: _write(path, np.zeros(0)), "holds 0 samples"),
        ("nan.wav", lambda path: _write(path, [0.1, np.nan, 0.2]), "sample of nan"),
        ("infinite.wav", lambda path: _write(path, [0.1, -np.inf]), "sample of inf"),
        ("huge.wav", lambda path: _write(path, [0.1, 1e30]), "sample of 1e"),
        (
            "short.wav",
            lambda path: _write(path, np.linspace(0, 0.1, RATE // 10 - 2)),
            "lasts 0.0999 s, less than 0.1 s",
        ),
        ("silent.wav", lambda path: _write(path, np.zeros(RATE)), "is silent: every sample is 0"),
        ("offset.wav", lambda path: _write(path, np.full((RATE, 2), 0.25)), "is silent: every sample is 0.25"),
        ("opposed.wav", lambda path: _write(path, np.outer(np.sin(np.arange(RATE)), [1, -1])), "is silent"),
        ("both_ends.wav", lambda path: _write(path, np.outer(np.ones(RATE), [np.inf, -np.inf])), "sample of nan"),
        ("._clip.wav", lambda path: path.write_bytes(bytes(82)), "macOS keeps notes"),
        ("long.wav", lambda path: _write(path, np.zeros(601 * 1000), rate=1000), "lasts more than 600 s"),
        ("slow.wav", lambda path: _write(path, [0.1, 0.2], rate=7), "sampling rate of 7 Hz"),
    ],
)
def test_bad_recording_is_named_with_reason(tmp_path, name, write, message):
    write(tmp_path / name)
    with pytest.raises(AudioError, match=message) as caught:
        read_audio(tmp_path / name, RATE)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_an_end_that_is_rounded_up_is_the_recordings(tmp_path, tone):
    _write(tmp_path / "second.wav", tone(1.0, RATE))
    with open_stretch(tmp_path / "second.wav", 0.5, 1.05) as stretch:
        assert stretch.samples == RATE // 2
    rounded, exact = (read_audio(tmp_path / "second.wav", RATE, 0.5, end) for end in (1.05, 1.0))
    assert np.array_equal(rounded, exact)


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [(1.0, None, "start 1 s"), (-0.1, None, "start -0.1 s"), (0.5, 1.2, "end 1.2 s"), (0.5, 0.4, "end 0.4 s")],
)
def test_segment_outside_the_recording_is_refused(tmp_path, tone, start, end, message):
    _write(tmp_path / "second.wav", tone(1.0, RATE))
    with pytest.raises(AudioError, match=message):
        read_audio(tmp_path / "second.wav", RATE, start, end)
