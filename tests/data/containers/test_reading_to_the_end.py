"""All that a file holds is read, whatever its header states; of a sound file nothing is said."""

import io
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from made_files import (
    AIFF,
    AU,
    CAF,
    CONTAINERS,
    NIST,
    RATE,
    RF64,
    W64,
    WAV,
    buzz,
    decoded,
    encode,
    flac_in_ogg,
    frames_of,
    mp3,
    with_size,
    without_tag,
)

from nni_emodarts.data.containers import track as tracks
from nni_emodarts.data.containers.track import layout_of, open_track
from nni_emodarts.runtime.reading import UnreadableError

SIZED = [
    (WAV, "PCM_16", 2), (WAV, "PCM_24", 3), (WAV, "FLOAT", 4), (WAV, "ULAW", 1), ("WAVEX", "PCM_16", 2),
    (RF64, "PCM_16", 2), (W64, "PCM_16", 2), (AIFF, "PCM_16", 2), (CAF, "PCM_16", 2), (AU, "PCM_16", 2),
    ("FLAC", "PCM_16", 1),
]  # fmt: skip
"""Container, encoding and bytes of a sample (of FLAC the header counts samples)."""


@pytest.fixture(name="file")
def file_fixture(tmp_path: Path) -> Path:
    return tmp_path / "sound.bin"


def read(source: Path | io.BytesIO, first: int = 0, count: int = 10**9) -> tuple[np.ndarray, str | None, int]:
    """Samples (S, channels) from a place on, what is said of the file, and the samples that it is thought to have."""
    with open_track(source) as track:
        track.seek(first)
        samples = track.read(count)
        return samples, track.layout.fault(track.frames / track.samplerate), track.frames


@pytest.mark.parametrize(("kind", "subtype"), CONTAINERS)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_sound_file_is_read_from_itself(file: Path, kind: str, subtype: str, channels: int) -> None:
    data = encode(buzz(1.3, channels=channels), kind, subtype)
    file.write_bytes(data)
    assert layout_of(file).as_it_stands
    samples, said, frames = read(file)
    assert said is None
    assert frames == len(samples)
    assert_same(samples, decoded(data))
    assert_same(read(io.BytesIO(data))[0], samples)


@pytest.mark.parametrize(("kind", "subtype"), CONTAINERS)
def test_recordings_one_behind_the_other_are_all_read(file: Path, kind: str, subtype: str) -> None:
    whole = [encode(buzz(seconds, seed), kind, subtype) for seed, seconds in enumerate((1.0, 0.4, 1.5))]
    file.write_bytes(b"".join(whole))
    expected = np.concatenate([decoded(data) for data in whole])
    samples, said, frames = read(file)
    assert frames == len(samples) == len(expected)
    assert_same(samples, expected)
    assert said is not None
    assert f"holds 3 recordings one behind the other; all are read, {len(expected) / RATE:.2f} s together" in said
    assert_same(read(io.BytesIO(file.read_bytes()))[0], expected)
    one, two = len(decoded(whole[0])), len(decoded(whole[0])) + len(decoded(whole[1]))
    for first in (0, 1, 5000, one - 1, one, one + 1, two - 3, two, two + 5000, len(expected) - 1):
        piece = read(file, first, 7000)[0]
        assert piece.shape == expected[first : first + 7000].shape
        np.testing.assert_allclose(piece, expected[first : first + 7000], rtol=0, atol=1e-4)  # MP3 looks back little


@pytest.mark.parametrize(("kind", "subtype", "width"), SIZED)
@pytest.mark.parametrize("share", [0.25, 0.9])
def test_a_header_that_states_too_little(file: Path, kind: str, subtype: str, width: int, share: float) -> None:
    data = encode(buzz(2.0), kind, subtype)
    file.write_bytes(with_size(data, kind, round(2 * RATE * share) * width))
    samples, said, frames = read(file)
    assert frames == len(samples)
    np.testing.assert_array_equal(samples, decoded(data))
    assert said == f"its header states {2 * share:.2f} s, but 2.00 s are there; all are read"
    np.testing.assert_array_equal(read(file, 30000)[0], samples[30000:])


@pytest.mark.parametrize(("kind", "subtype"), [(kind, subtype) for kind, subtype, _ in SIZED if kind != "FLAC"])
def test_a_recorder_that_stopped_before_it_wrote_the_length(file: Path, kind: str, subtype: str) -> None:
    data = encode(buzz(1.0), kind, subtype)
    file.write_bytes(with_size(data, kind, 0))
    samples, said, _ = read(file)
    np.testing.assert_array_equal(samples, decoded(data))
    assert said is not None
    assert "its header states no sample, as where a recorder stopped early, but 1.00 s are there" in said


@pytest.mark.parametrize(
    ("kind", "size"),
    [(WAV, 0xFFFFFFFF), (WAV, 0x7FFFF000), (W64, 2**63 - 25), (CAF, -5), (AU, 0xFFFFFFFF), ("FLAC", 0)],
)
def test_a_stream_that_states_no_length_is_sound(file: Path, kind: str, size: int) -> None:
    data = encode(buzz(1.0), kind, "PCM_16")
    if kind == WAV:
        changed = bytearray(data)
        struct.pack_into("<I", changed, 40, size)
        struct.pack_into("<I", changed, 4, min(size + 36, 2**32 - 1))
        file.write_bytes(changed)
    else:
        file.write_bytes(with_size(data, kind, size))
    samples, said, frames = read(file)
    np.testing.assert_array_equal(samples, decoded(data))
    assert said is None
    assert frames == len(samples)


@pytest.mark.parametrize(("kind", "subtype", "width"), SIZED)
@pytest.mark.parametrize("kept", [0.3, 0.7, 0.97])
def test_a_copy_that_was_cut_short(file: Path, kind: str, subtype: str, width: int, kept: float) -> None:
    data = encode(buzz(2.0), kind, subtype)
    file.write_bytes(data[: round(len(data) * kept)])
    samples, said, _ = read(file)
    whole = decoded(data)
    frame = 4096 if kind == "FLAC" else 1
    assert 0 <= len(whole) * kept - len(samples) < 4000 + frame  # the header's part, and a frame that is not whole
    np.testing.assert_array_equal(samples, whole[: len(samples)])
    assert said is not None
    assert said.startswith("its header promises 2.00 s, but only")
    assert width


@pytest.mark.parametrize(
    "tail",
    [
        b"LIST" + struct.pack("<I", 4000) + b"INFO" + bytes(range(200)) * 20,
        b"id3 " + struct.pack("<I", 1001) + b"ID3" + bytes(range(1, 250)) * 4,
        b"odd!" + struct.pack("<I", 3) + b"\x7f\x01\x02",
        b"TAG" + bytes(range(1, 126)),
        bytes(5000),
        b"written by a program that puts a line of text behind the samples\n" * 40,
        bytes(range(1, 201)),
    ],
    ids=["LIST", "id3", "any chunk", "ID3v1", "zeros", "text", "a few bytes"],
)
def test_what_follows_the_samples_is_none(file: Path, tail: bytes) -> None:
    data = encode(buzz(1.0), WAV, "PCM_16")
    file.write_bytes(data + tail)
    assert layout_of(file).as_it_stands
    samples, said, _ = read(file)
    assert said is None
    np.testing.assert_array_equal(samples, decoded(data))


def test_chunks_behind_samples_of_wave64_are_no_sound(file: Path) -> None:
    """libsndfile reads to the file's end."""
    data = encode(buzz(1.0), W64, "PCM_16")
    chunk = b"levl" + bytes.fromhex("f3acd3118cd100c04f8edb8a") + struct.pack("<Q", 24 + 2000) + bytes(range(250)) * 8
    file.write_bytes(data + chunk)
    samples, said, _ = read(file)
    np.testing.assert_array_equal(samples, decoded(data))
    assert said is None
    assert len(decoded(data + chunk)) > len(samples)


def test_a_recording_behind_metadata_is_found(file: Path) -> None:
    one, two = (encode(buzz(0.5, seed), WAV, "PCM_16") for seed in (1, 2))
    file.write_bytes(one + b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + bytes(14) + two)
    np.testing.assert_array_equal(read(file)[0], np.concatenate([decoded(one), decoded(two)]))


def assert_same(found: np.ndarray, expected: np.ndarray) -> None:
    """Up to what libmpg123 rounds otherwise where memory is aligned otherwise."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def same_sound(found: np.ndarray, tagged: np.ndarray) -> bool:
    """Whether a sound is another's, which a tag rid of what encoder and decoder put before it: less than two frames."""
    return any(np.abs(found[lag : lag + len(tagged)] - tagged).max() < 1e-6 for lag in range(1153))


def test_mp3_of_variable_bit_rate_without_a_tag(file: Path) -> None:
    data = mp3(buzz(4.0))
    file.write_bytes(without_tag(data))
    assert len(decoded(without_tag(data))) < 3.0 * RATE, "libsndfile believes the first frame"
    samples, said, frames = read(file)
    assert frames == len(samples)
    assert same_sound(samples, decoded(data))
    assert said is not None
    assert "is an MP3 of variable bit rate whose header states no length" in said
    assert_same(read(file, 50_000)[0], samples[50_000:])


def test_mp3_of_constant_bit_rate_needs_no_tag(file: Path) -> None:
    data = without_tag(mp3(buzz(2.0), "CONSTANT"))
    for tail in (b"", b"TAG" + bytes(125)):
        file.write_bytes(data + tail)
        assert layout_of(file).as_it_stands
        samples, said, frames = read(file)
        assert said is None
        assert frames == len(samples) == 576 * len(frames_of(data)), "libsndfile guesses more"


def test_a_tag_that_counts_too_few_frames(file: Path) -> None:
    data = bytearray(mp3(buzz(2.0)))
    place = data.index(b"Xing") + 8
    count = int.from_bytes(data[place : place + 4], "big")
    whole = decoded(bytes(data))
    data[place : place + 4] = (count // 2).to_bytes(4, "big")
    file.write_bytes(data)
    samples, said, _ = read(file)
    assert_same(samples, whole)
    assert said is not None
    assert said.startswith("its header states 1.0")
    data[place : place + 4] = (count + 1).to_bytes(4, "big")  # as encoders do that count the tag, too
    file.write_bytes(data)
    assert layout_of(file).as_it_stands
    assert read(file)[1] is None


@pytest.mark.parametrize("junk", [b"\x55" * 3000, b"\xff" * 2000, b"ID3\x04\x00\x00\x00\x00\x0b\x74" + bytes(1524)])
def test_bytes_between_frames_of_mp3_are_passed_over(file: Path, junk: bytes) -> None:
    data = mp3(buzz(2.0))
    middle = frames_of(data)[len(frames_of(data)) // 2][0]
    file.write_bytes(data[:middle] + junk + data[middle:])
    samples = read(file)[0]
    assert abs(len(samples) - len(decoded(data))) <= 1152
    assert_same(samples[: RATE // 2], decoded(data)[: RATE // 2])


def test_mp3_behind_tags_of_id3(file: Path) -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x08\x00" + bytes(1024)
    one, two = mp3(buzz(1.0)), mp3(buzz(1.5, 1))
    file.write_bytes(tag + one)
    assert layout_of(file).as_it_stands
    file.write_bytes(tag + one + b"TAG" + bytes(125) + tag + two)
    assert_same(read(file)[0], np.concatenate([decoded(one), decoded(two)]))
    file.write_bytes(tag + without_tag(one) + tag + without_tag(two))
    samples, said, _ = read(file)
    assert said is not None
    assert "holds 2 recordings" in said
    assert abs(len(samples) - 2.5 * RATE) < 4 * 1152


def test_flac_in_ogg(file: Path) -> None:
    data = encode(buzz(1.0), "FLAC", "PCM_16")
    file.write_bytes(flac_in_ogg(data))
    samples, said, _ = read(file)
    np.testing.assert_array_equal(samples, decoded(data))
    assert said is None
    file.write_bytes(flac_in_ogg(data) + encode(buzz(0.5), "OGG", "VORBIS"))
    assert len(read(file)[0]) == RATE + RATE // 2


def test_flac_of_which_the_last_frame_is_cut(file: Path) -> None:
    """Where it ends is known by its check sum alone."""
    data = encode(buzz(1.0), "FLAC", "PCM_16")
    for lost in (1, 2, 100):
        file.write_bytes(data[:-lost])
        samples, said, _ = read(file)
        assert len(samples) == RATE // 4096 * 4096
        np.testing.assert_array_equal(samples, decoded(data)[: len(samples)])
        assert said is not None
        assert "only" in said
    file.write_bytes(data + b"TAG" + bytes(125))
    assert layout_of(file).as_it_stands
    assert len(read(file)[0]) == RATE


def test_the_middle_of_a_stream_is_no_recording(file: Path) -> None:
    data = encode(buzz(9.0), "OGG", "VORBIS")
    file.write_bytes(data[data.index(b"OggS", len(data) // 2) :])
    assert layout_of(file).as_it_stands
    with pytest.raises(soundfile.SoundFileError):
        read(file)


def test_recordings_of_different_kinds_behind_one_another(file: Path) -> None:
    one, stereo = encode(buzz(0.5), WAV, "PCM_16"), encode(buzz(0.5, channels=2), WAV, "PCM_16")
    file.write_bytes(one + stereo)
    samples = read(file)[0]
    expected = np.concatenate([decoded(one), decoded(stereo).mean(axis=1, keepdims=True)])
    np.testing.assert_array_equal(samples, expected)
    file.write_bytes(one + encode(buzz(0.5, rate=8000), WAV, "PCM_16", 8000))
    with pytest.raises(UnreadableError, match="recordings of 16000 and 8000 Hz one behind the other; cut it"):
        read(file)


def test_more_than_four_gigabytes_whose_header_counts_anew(file: Path) -> None:
    """The size wraps at 4 GB; the file is a hole but for two tones."""
    data, end = encode(buzz(1.0), WAV, "PCM_16"), 44 + 2 * RATE * 140_000
    samples = data[44:]
    with file.open("wb") as stream:
        stream.write(data[:44] + samples)
        stream.truncate(end)
        stream.seek(end - len(samples))
        stream.write(samples)
    with file.open("r+b") as stream:
        for place, value in ((4, end - 8), (40, end - 44)):
            stream.seek(place)
            stream.write(struct.pack("<I", value % 2**32))
        stream.seek(44 + (end - 44) % 2**32)
        stream.write(samples)
    with open_track(file) as track:
        assert track.frames == RATE * 140_000
        track.seek(RATE * 139_999)
        np.testing.assert_array_equal(track.read(10**6), decoded(data))


def test_a_sphere_file_that_was_joined_or_counted_wrong(file: Path) -> None:
    data = encode(buzz(1.0), NIST, "PCM_16")
    file.write_bytes(data.replace(b"sample_count -i 16000", b"sample_count -i 08000"))
    samples, said, _ = read(file)
    assert len(samples) == RATE
    assert said == "its header states 0.50 s, but 1.00 s are there; all are read"


@pytest.mark.parametrize(
    ("bound", "reported"), [("MOST_FRAMES", "more than 3 frames"), ("MOST_PARTS", "more than 3 rec")]
)
def test_more_than_is_walked_over(file: Path, monkeypatch: pytest.MonkeyPatch, bound: str, reported: str) -> None:
    monkeypatch.setattr(f"nni_emodarts.data.containers.part.{bound}", 3)
    many = bound == "MOST_PARTS"
    for kind, subtype in (("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("FLAC", "PCM_16"), (WAV, "PCM_16")):
        if many or kind in ("MP3", "OGG"):
            file.write_bytes(encode(buzz(0.1 if many else 9.0), kind, subtype) * (4 if many else 1))
            with pytest.raises(UnreadableError, match=reported):
                layout_of(file)


def test_a_file_that_fails_while_it_is_read(file: Path) -> None:
    """What is raised to libsndfile would be printed, and taken for the end."""
    data = encode(buzz(2.0), WAV, "PCM_16")

    class Failing(io.BytesIO):
        broken = False

        def read(self, size: int | None = -1) -> bytes:
            if self.broken:
                raise OSError("the server is gone")
            return super().read(size)

    source = Failing(data)
    with open_track(source) as track:
        track.read(100)
        source.broken = True
        with pytest.raises(OSError, match="the server is gone"):
            track.read(20_000)


def test_what_libmpg123_writes_is_not_shown_and_what_others_say_is(
    file: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray(mp3(buzz(2.0)))
    for place, _ in frames_of(bytes(data))[5:40:7]:
        data[place + 4 : place + 12] = b"\xff" * 8
    file.write_bytes(data)
    with soundfile.SoundFile(file) as sound:
        sound.read(10**6)
    assert "libmpg123" in capfd.readouterr().err, "or the test shows nothing"
    said = threading.Event()
    reading = tracks._Sound.read

    def read_while_another_speaks(self: tracks._Sound, count: int) -> np.ndarray:
        with tracks.quiet:
            speaker = threading.Thread(target=lambda: (os.write(2, b"progress\n"), said.set()))
            speaker.start()
            speaker.join()
            return reading(self, count)

    monkeypatch.setattr(tracks._Sound, "read", read_while_another_speaks)
    assert len(read(file)[0])
    assert said.is_set()
    assert set(capfd.readouterr().err.split()) == {"progress"}
