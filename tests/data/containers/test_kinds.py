"""What is no recording is named by what it is, with a remedy that fits."""

import gzip
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_files import buzz, encode

from nni_emodarts.data.containers.kinds import SIGNS, absence, identify, stand_in
from nni_emodarts.data.features import read_audio
from nni_emodarts.errors import AudioError

CONVERT = "convert it to WAV or FLAC, such as by ffmpeg; another suffix alone changes nothing"


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.wav", encode(buzz(0.2), "WAV", "PCM_16"))
    return stream.getvalue()


def array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, buzz(0.2))
    return stream.getvalue()


SOUND = bytes(range(256)) * 16
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 72862\n"
FILES = {
    "a Git LFS pointer, no recording; fetch what it points to by git lfs pull": LFS,
    "a git-annex pointer, no recording; fetch what it points to by git annex get": b"/annex/objects/SHA256E-s9--a\n",
    "a web page, no recording; download it again": b"\n<!DOCTYPE html>\n<html><body>404: Not Found</body></html>",
    "an XML file, no recording; download it again": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "a text ('{\"message\": \"Bad credentials\"}')": b'{"message": "Bad credentials"}\n',
    "empty (0 bytes); copy it again or leave it out": b"",
    "AAC or ALAC in an MP4 file (.m4a), which cannot be decoded here": b"\0\0\0\x1cftypM4A \0\0\2\0isomiso2" + SOUND,
    "an MP4 file, which": b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + SOUND,
    "a 3GP file, which": b"\0\0\0\x1cftyp3gp4\0\0\2\0isom3gp4" + SOUND,
    "a QuickTime file (.mov), which": b"\0\0\0\x14ftypqt  \0\0\2\0qt  " + SOUND,
    "a WebM file, which": b"\x1aE\xdf\xa3\x9fB\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x84webm" + SOUND,
    "a Matroska file": b"\x1aE\xdf\xa3\xa3B\x86\x81\1B\xf7\x81\1B\xf2\x81\4B\xf3\x81\x08B\x82\x88matroska" + SOUND,
    "Windows Media (.wma, .wmv), which": bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + SOUND,
    "AMR, a telephone's codec, which": b"#!AMR\n" + SOUND,
    "SILK, a messenger's codec, which": b"\x02#!SILK_V3" + SOUND,
    "AAC, which": b"\xff\xf1\x50\x80\x2e\x7f\xfc" + SOUND,
    "an AVI file, which": b"RIFF" + struct.pack("<I", 9000) + b"AVI LIST" + SOUND,
    "a Flash video": b"FLV\x01\x05\0\0\0\x09" + SOUND,
    "an MPEG video": b"\0\0\1\xba\x21\0\1\0\1\x80\3\x7b" + SOUND,
    "Speex in Ogg": b"OggS\0\2" + bytes(20) + b"\1\x50Speex   1.2" + SOUND,
    "Monkey's Audio": b"MAC \x96\x0f" + SOUND,
    "WavPack": b"wvpk" + SOUND,
    "a ZIP archive, no recording; unpack it": zipped(),
    "a RAR archive": b"Rar!\x1a\7\1\0" + SOUND,
    "a compressed file": gzip.compress(encode(buzz(0.2), "WAV", "PCM_16")),
    "a PDF document": b"%PDF-1.7\n" + SOUND,
    "an image": b"\x89PNG\r\n\x1a\n" + SOUND,
    "an Office document": bytes.fromhex("d0cf11e0a1b11ae1") + SOUND,
    "a NumPy array (.npy), no recording; write its samples as WAV": array(),
    "a WAV file of an encoding (0x00FF) that cannot be decoded here": (
        b"RIFF" + struct.pack("<I", 9000) + b"WAVEfmt " + struct.pack("<IHHIIHHHH", 20, 0xFF, 1, 8000, 999, 1, 0, 2, 0)
        + b"data" + struct.pack("<I", 4096) + SOUND
    ),
    "holds nothing but zeros where its header should be; copy it again": bytes(100_000),
}  # fmt: skip


@pytest.mark.parametrize("reported", FILES)
@pytest.mark.parametrize("suffix", [".wav", ".flac", ""])
def test_it_is_named_with_its_remedy(tmp_path: Path, reported: str, suffix: str) -> None:
    file = tmp_path / f"clip{suffix}"
    file.write_bytes(FILES[reported])
    with pytest.raises(AudioError) as caught:
        read_audio(file, 16000)
    start = "" if reported.startswith("holds") else "is "
    assert str(caught.value).startswith(f"{file}: {start}{reported}")
    assert ("which cannot be decoded here" not in str(caught.value)) or str(caught.value).endswith(CONVERT)


def test_what_nobody_knows_is_reported_as_the_decoder_says(tmp_path: Path) -> None:
    (tmp_path / "noise.wav").write_bytes(bytes([5, 250, 7, 249]) * 999)
    with pytest.raises(AudioError, match=r"noise\.wav: cannot be decoded \(Format not recognised\); convert it"):
        read_audio(tmp_path / "noise.wav", 16000)


def test_a_damaged_recording_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "half.wav").write_bytes(b"RIFF and nothing else")
    with pytest.raises(AudioError, match="cannot be decoded"):
        read_audio(tmp_path / "half.wav", 16000)


def test_recordings_look_like_none_of_them() -> None:
    for kind, subtype in (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16")):
        data = encode(buzz(0.2), kind, subtype)
        assert not any(sign.pattern.match(data[:4096]) for sign in SIGNS)
        assert identify_of(data) is None


def identify_of(data: bytes) -> str | None:
    return identify(io.BytesIO(data))


def test_why_there_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "zero.wav").symlink_to("/dev/zero")
    (tmp_path / "annexed.wav").symlink_to(".git/annex/objects/F4/kx/SHA256E-s9--a.wav/SHA256E-s9--a.wav")
    (tmp_path / "lost.wav").symlink_to("elsewhere.wav")
    for name, reported in {
        "pipe.wav": "is no regular file", "zero.wav": "is no regular file", "annexed.wav": "git annex get",
        "lost.wav": "is a link to elsewhere.wav, which is not there; mend the link", "none.wav": "no such file",
        ".": "is a folder", "a\0b.wav": "no such file",
    }.items():  # fmt: skip
        assert reported in str(absence(tmp_path / name)), name
        with pytest.raises(AudioError, match=reported):
            read_audio(tmp_path / name, 16000)


def test_what_stands_in_for_recordings_is_found_without_reading_them(tmp_path: Path) -> None:
    files = {
        "lfs.wav": LFS,
        "empty.wav": b"",
        "page.wav": b"<html></html>",
        "good.wav": encode(buzz(1), "WAV", "PCM_16"),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe.wav")
    assert [name for name in (*files, "pipe.wav") if stand_in(tmp_path / name)] == ["lfs.wav", "empty.wav", "page.wav"]
