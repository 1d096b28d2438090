"""What `describe` says of dimensions: figures against numpy, faults by their lines, files without emotions."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from nni_emodarts.data.describe_dimensions import describe_dimensions, read_described

NAMES = ("arousal", "valence", "dominance")


def cells(**columns: list[str]) -> pd.DataFrame:
    table = pd.DataFrame(columns)
    table.index = pd.RangeIndex(2, len(table) + 2)
    return table


def test_figures_are_those_of_the_values(small_manifest: Path) -> None:
    described = read_described(small_manifest)[1]
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
    described = describe_dimensions(table)
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
    assert describe_dimensions(table.drop(columns="scale"), ("valence",)).scale == "no scale is stated"


def test_a_file_without_emotions_is_described(tmp_path: Path, emodarts: Callable[..., tuple[int, str]]) -> None:
    rows = ["file,speaker,arousal,valence"]
    for number in range(8):
        tone = 0.1 * np.sin(np.arange(8000) * (0.05 + 0.01 * number))
        soundfile.write(tmp_path / f"{number}.wav", tone, 16000)
        rows.append(f"{number}.wav,s{number % 4},{number},4")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    code, said = emodarts("describe", tmp_path / "manifest.csv")
    assert code == 0, said
    for words in ("Dimensions, no scale is stated", "(no emotion)", "3.50", "nothing is wrong with the recordings"):
        assert words in said
    assert "column 'valence' is 4 on every line" in " ".join(said.split())


def test_a_file_without_dimensions_says_nothing_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    for header, line in (
        ("file,emotion,speaker", "a.wav,anger,x"),
        ("file,emotion,speaker,arousal", "a.wav,anger,x,"),
        ("file,emotion,speaker,arousal,arousal", "a.wav,anger,x,1,2"),
    ):
        other = line.replace("a.wav,anger", "b.wav,joy")
        (tmp_path / "manifest.csv").write_text(f"{header}\n{line}\n{other}\n")
        (tmp_path / "b.wav").touch()
        assert read_described(tmp_path / "manifest.csv")[1] is None
