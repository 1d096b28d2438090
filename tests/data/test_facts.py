from pathlib import Path

import pytest

from nni_emodarts.data.facts import CorpusFacts, find_licence
from nni_emodarts.data.manifest import Manifest, read_manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).touch()
    (tmp_path / "manifest.csv").write_text("file,emotion,speaker\na.wav,anger,ann\nb.wav,calm,ben\n")
    return read_manifest(tmp_path / "manifest.csv")


def test_a_licence_that_is_a_link_is_not_followed(manifest: Manifest, tmp_path: Path) -> None:
    """What it leads to may be private, and a card is published."""
    private = tmp_path.parent / f"{tmp_path.name}_private"
    private.write_text("secret")
    (tmp_path / "LICENSE").symlink_to(private)
    assert find_licence(manifest) is None
    assert CorpusFacts.of(manifest).licence is None


def test_of_a_huge_licence_the_beginning_is_kept(manifest: Manifest, tmp_path: Path) -> None:
    with (tmp_path / "LICENSE").open("wb") as file:
        file.write(b"CC BY 4.0\n" + b"x" * 100_000)
        file.truncate(2**34)  # sixteen GB, of which the disk holds none
    licence = CorpusFacts.of(manifest).licence
    assert licence is not None
    assert licence.lines[0] == "CC BY 4.0"
    assert sum(map(len, licence.lines)) < 10_000
