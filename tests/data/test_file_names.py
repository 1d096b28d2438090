"""Recordings under another spelling of their names: found where only one can be meant."""

import unicodedata
from pathlib import Path

import pytest

from nni_emodarts.data.file_names import NearbyFiles

NFC, NFD = (unicodedata.normalize(form, "wütend") for form in ("NFC", "NFD"))


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        (f"{NFD}.wav", f"{NFC}.wav"),
        (f"{NFC}.wav", f"{NFD}.wav"),
        ("a.wav", "A.WAV"),
        ("Wavs/A.Wav", "wavs/a.wav"),
        ("wavs/sub/a.wav", "wavs\\sub\\a.wav"),
        (f"Mein {NFD}/a.WAV", f"mein {NFC}\\A.wav"),
        ("a b.wav", "a  b.wav"),
        ("a\u200b.wav", "a.wav"),
    ],
)
def test_a_recording_is_found_under_another_spelling(tmp_path: Path, there: str, asked: str) -> None:
    touch(tmp_path, there, "other.wav")
    assert NearbyFiles().find(f"{tmp_path}/{asked}") == str(tmp_path / there)


def test_of_several_none_is_taken_but_the_one_of_the_same_look(tmp_path: Path) -> None:
    touch(tmp_path, "A.wav", "a.WAV", f"{NFD}.wav", f"{NFC.upper()}.wav")
    nearby = NearbyFiles()
    assert nearby.find(f"{tmp_path}/a.wav") is None
    assert nearby.hint(f"{tmp_path}/a.wav") == " (did you mean A.wav or a.WAV?)"
    assert nearby.find(f"{tmp_path}/{NFC}.wav") == f"{tmp_path}/{NFD}.wav"


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    touch(tmp_path, "a.flac", "take_0012.wav")
    (tmp_path / "b.wav").mkdir()
    nearby = NearbyFiles()
    for name in ("a.wav", "B.wav", "absent/a.wav", "..", "C:\\data\\a.wav"):
        assert nearby.find(f"{tmp_path}/{name}") is None
    assert nearby.hint(f"{tmp_path}/a.wav") == " (did you mean a.flac?)"
    assert nearby.hint(f"{tmp_path}/take_0021.wav") == " (did you mean take_0012.wav?)"
    assert nearby.hint(f"{tmp_path}/absent/a.wav") == ""
    assert nearby.hint(f"{tmp_path}/quite another.wav") == ""
