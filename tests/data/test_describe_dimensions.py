"""What `describe` says of dimensions: figures against numpy, faults by their lines, files without emotions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from nni_emodarts.data.describe_dimensions import describe_dimensions
from nni_emodarts.data.describe_reading import read_described
from nni_emodarts.data.dimensions import Wanted
from nni_emodarts.errors import ManifestError

NAMES = ("arousal", "valence", "dominance")


def cells(**columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(columns)
    table.index = pd.RangeIndex(2, len(table) + 2)
    return table


def test_figures_are_those_of_the_values(small_manifest: Path) -> None:
    described = read_described(str(small_manifest))[1]
    assert described is not None
    table = pd.read_csv(small_manifest, dtype={"speaker": str})
    assert described.scale == "scale 1 to 7"
    assert described.faults == ()
    for name in NAMES:
        row, values = described.table.loc[name], table[name].to_numpy()
        figures = (values.mean(), values.std(), values.min(), values.max())
        told = [float(row[key]) for key in ("mean", "deviation", "lowest", "highest")]
        np.testing.assert_allclose(told, figures, atol=0.00501)
        means = [values[table["speaker"] == speaker].mean() for speaker in set(table["speaker"])]
        told = list(map(float, row["speakers' means"].split(" to ")))
        np.testing.assert_allclose(told, [min(means), max(means)], atol=0.00501)
        assert (row["values"], row["missing"]) == (f"{len(values)}", "0")
    both = np.corrcoef(table["arousal"], table["dominance"])[0, 1]
    assert f"arousal and dominance {both:.2f}" in described.correlations


def test_missing_values_count_nowhere_and_faults_are_named_with_their_lines() -> None:
    table = cells(
        speaker=["a", "a", "b", ""], scale=["1..5"] * 4, arousal=["1", "", "3", "9"], valence=["2", "2", "", "2"],
        dominance=["", "", "low", ""],
    )  # fmt: skip
    described = describe_dimensions(table, Wanted())
    rows = described.table
    assert rows.loc["arousal"].to_dict() == {
        "values": "3", "missing": "1", "mean": "4.33", "deviation": "3.40", "lowest": "1.00", "highest": "9.00",
        "speakers' means": "1.00 to 3.00",
    }  # fmt: skip
    assert rows.loc["dominance", "mean"] == "-"
    assert described.correlations == "arousal and valence -; arousal and dominance -; valence and dominance -"
    faults = "\n".join(described.faults)
    assert "line 5 (9): arousal is outside the scale 1 to 5" in faults
    assert "column 'valence' is 2 on every line that has a value" in faults
    assert "line 4 (low): dominance is no number" in faults
    assert describe_dimensions(table.drop(columns="scale"), Wanted(("valence",))).scale == "no scale is stated"


def spoken(folder: Path, rows: list[str], head: str, name: str = "manifest.csv") -> Path:
    """A manifest of tones, each of its own pitch, by two speakers; `rows` are the cells behind them."""
    folder.mkdir(exist_ok=True)
    lines = [f"file,speaker,{head}"]
    for number, row in enumerate(rows):
        file = folder / f"{number}.wav"
        soundfile.write(file, 0.1 * np.sin(np.arange(8000) * (0.05 + 0.01 * number + 0.001 * len(folder.name))), 16000)
        lines.append(f"{file.name},s{number % 4},{row}")
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


def test_what_training_would_refuse_is_a_fault_and_leaves_the_rest_described(
    tmp_path: Path, emodarts: Callable[..., tuple[int, str]]
) -> None:
    rows = [f"{number},4,{'low' if number == 3 else ''},0..6" for number in range(8)]
    said_of = (
        "line 9 (7): arousal is outside the scale 0 to 6",
        "column 'valence' is 4 on every line that has a value",
        "line 5 (low): dominance is no number",
    )
    dims = "arousal,valence,dominance,scale"
    for name, head, emotions in (("alone", "", [""] * 8), ("both", "emotion,", ["joy,", "fear,"] * 4)):
        lines = [emotion + row for emotion, row in zip(emotions, rows, strict=True)]
        path = spoken(tmp_path / name, lines, head + dims)
        out = tmp_path / f"{name}.csv"
        code, said = emodarts("describe", path, "--out", out)
        assert code == 0, said
        assert ("(no emotion)" in said) == (name == "alone")
        for words in ("Dimensions, scale 0 to 6", "3.50", "3 of dimensions, which training would refuse"):
            assert words in said
        assert "nothing is wrong" not in said
        found = pd.read_csv(out)
        assert set(found["kind"]) == {"of dimensions, which training would refuse"}
        for words, reason in zip(said_of, found["reason"], strict=True):
            assert words in reason
    code, said = emodarts("describe", spoken(tmp_path / "odd", [f"{n},{n}" for n in range(4)], "arousal,scale"))
    assert code == 0
    assert "column 'scale' holds '0', '1', '2', '3'; write it alike" in " ".join(said.split())


def test_a_blank_column_is_said_as_training_says_it(tmp_path: Path) -> None:
    path = spoken(tmp_path, ["joy,1,", "fear,2,"], "emotion,arousal,valence")
    described = read_described(str(path))[1]
    assert described is not None
    assert described.table.loc["valence", ["values", "missing"]].tolist() == ["0", "2"]
    assert len(described.faults) == 1
    assert described.faults[0].startswith("column 'valence' has no value on any line")


def test_dimensions_of_other_names(tmp_path: Path, emodarts: Callable[..., tuple[int, str]]) -> None:
    path = spoken(tmp_path, ["joy,1,5", "fear,2,8"], "emotion,Arousal,tension")
    manifest, described = read_described(str(path))
    assert described is None
    assert "column 'Arousal' looks like arousal; call it so, or name it by data.targets" in manifest.notes
    described = read_described(str(path), ["tension", "Arousal"])[1]
    assert described is not None
    assert described.table["mean"].to_dict() == {"tension": "6.50", "Arousal": "1.50"}
    code, said = emodarts("describe", path, "--targets", "tension")
    assert (code, "6.50" in said) == (0, True)
    with pytest.raises(ManifestError, match="column 'tensoin' of --targets is missing; did you mean tension"):
        read_described(str(path), ["tensoin"])


def test_several_manifests_are_described_as_one(tmp_path: Path, emodarts: Callable[..., tuple[int, str]]) -> None:
    first = spoken(
        tmp_path / "a", [f"{'joy' if n % 2 else 'fear'},{n},1..9" for n in range(1, 9)], "emotion,arousal,scale"
    )
    other = spoken(
        tmp_path / "bcd", [f"{'joy' if n % 2 else 'fear'},{n},0..5" for n in range(4)], "emotion,arousal,scale"
    )
    code, said = emodarts("describe", f"{first},{other}", "--protocol", "loco")
    assert code == 0, said
    assert "12 utterances in 12 files" in said
    for words in (
        "a/s0",
        "bcd/s3",
        "a: scale 1 to 9; bcd: scale 0 to 5",
        "a: arousal",
        "4.50",
        "1.50",
        "Folds of loco",
    ):
        assert words in said
    assert "speakers: none on both sides" in said
    text = other.read_text().replace(",0..5", ",").replace("scale", "unsaid")
    other.write_text(text)
    described = read_described(f"{first},{other}")[1]
    assert described is not None
    assert any("bcd states no scale of its ratings" in fault for fault in described.faults)


def test_what_cannot_be_described_is_said_by_its_own_fault(
    tmp_path: Path, emodarts: Callable[..., tuple[int, str]]
) -> None:
    first = spoken(tmp_path / "a", ["1", "2"], "arousal")
    code, said = emodarts("describe", f"{first},{tmp_path / 'none.csv'}")
    assert (code, "none.csv: No such file" in said) == (2, True)
    code, said = emodarts("describe", spoken(tmp_path / "b", ["low", "high"], "arousal"))
    assert (code, "lines 2 (low), 3 (high): arousal is no number" in said) == (2, True)
    code, said = emodarts("describe", spoken(tmp_path / "c", ["joy,fear", "fear,joy"], "emotion,emotion"))
    assert (code, "column 'emotion' is there 2 times" in said) == (2, True)
    joy, fear = (spoken(tmp_path / name, [name, f"no {name}"], "emotion") for name in ("joy", "fear"))
    code, said = emodarts("describe", f"{joy},{fear}")
    assert code == 2
    assert "no emotion in common (fear: fear, no fear; joy: joy, no joy)" in said


def test_a_file_without_dimensions_says_nothing_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    for header, line in (
        ("file,emotion,speaker", "a.wav,anger,x"),
        ("file,emotion,speaker,tension", "a.wav,anger,x,1"),
    ):
        other = line.replace("a.wav,anger", "b.wav,joy")
        (tmp_path / "manifest.csv").write_text(f"{header}\n{line}\n{other}\n")
        (tmp_path / "b.wav").touch()
        assert read_described(str(tmp_path / "manifest.csv"))[1] is None
