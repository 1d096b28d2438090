"""Figures and predictions that do not belong together are found, with digests and without."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.errors import RunFolderError
from nni_emodarts.nni_bridge.pooling import pool_trials
from nni_emodarts.report.runs import read_runs
from nni_emodarts.runtime.digests import OPEN_SEAL, digests_of, is_damaged, read_predictions, seal
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.training.retrain import score_predictions
from nni_emodarts.training.retrain.run import pool

CLASSES = ["anger", "joy", "none"]


def network(folder: Path, with_digests: bool, fold: int = 0) -> RunFolder:
    """A network's predictions and figures."""
    run = RunFolder(folder)
    run.path.mkdir(parents=True)
    generator = np.random.default_rng(fold)
    table = pd.DataFrame({"fold": fold, "seed": 1, "file": [f"{number}.wav" for number in range(30)], "speaker": "ann"})
    for name in ("emotion", "predicted"):
        table[name] = np.array(CLASSES)[generator.integers(3, size=30)]
    run.write_csv("predictions.csv", table)
    figures = {"classes": CLASSES, "fold": fold, "seed": 1, "val_uar": 0.5, "parameters": 1, "seconds": 1.0}
    figures |= {"cpu_seconds": 1.0, **score_predictions(table, CLASSES)}
    run.write_json("metrics.json", {**figures, **(digests_of(run, ["predictions.csv"]) if with_digests else {})})
    return run


def edits(text: str) -> list[str]:
    """A row less, half a row less, a row twice, one answer made right."""
    head, *rows = text.splitlines()
    wrong = next(number for number, row in enumerate(rows) if row.split(",")[-1] != row.split(",")[-2])
    *others, _ = rows[wrong].split(",")
    right = [*rows[:wrong], ",".join([*others, others[-1]]), *rows[wrong + 1 :]]
    return ["\n".join([head, *each]) + "\n" for each in (rows[:-1], [*rows, rows[0]], right)] + [text[:-3]]


@pytest.mark.parametrize("with_digests", [False, True])
def test_changed_predictions_are_never_pooled(with_digests: bool, tmp_path: Path) -> None:
    runs = [network(tmp_path / f"fold_{fold:02d}" / "seed_1", with_digests, fold) for fold in (0, 1)]
    file = runs[1].path / "predictions.csv"
    sound = file.read_text()
    assert pool(RunFolder(tmp_path), runs)["test_uar"] == pool_trials([run.path for run in runs])["test_uar"]
    for text in edits(sound):
        file.write_text(text)
        for read in (
            lambda: read_predictions(runs[1]),
            lambda: pool(RunFolder(tmp_path), runs),
            lambda: pool_trials([run.path for run in runs]),
            lambda: read_runs([str(tmp_path)]),
        ):
            with pytest.raises(RunFolderError, match=r"fold_01/seed_1: predictions\.csv") as reported:
                read()
            assert "--overwrite" not in str(reported.value)
    file.write_text(sound)
    read_predictions(runs[1])


def test_another_speaker_is_found_by_the_digest(tmp_path: Path) -> None:
    """It leaves every count as it was."""
    run = network(tmp_path / "run", with_digests=True)
    file = run.path / "predictions.csv"
    file.write_text(file.read_text().replace("ann", "bob", 1))
    with pytest.raises(RunFolderError, match="is damaged or was edited"):
        read_predictions(run)


def test_pooled_predictions_state_their_digest(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    pool(folder, [network(tmp_path / "fold_00" / "seed_1", with_digests=True)])
    assert set(json.loads((tmp_path / "metrics.json").read_text())["digests"]) == {"predictions.csv"}
    read_predictions(folder)
    (tmp_path / "predictions.csv").write_text("")
    with pytest.raises(RunFolderError, match="is damaged or was edited"):
        read_predictions(folder)


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(0))
def test_a_seal_is_broken_by_any_bit(before: bytes, after: bytes, number: int) -> None:
    sealed = seal(b"mark" + before + OPEN_SEAL.encode() + after)
    assert not is_damaged(sealed, b"mark")
    bit = number % (8 * len(sealed))
    damaged = bytearray(sealed)
    damaged[bit // 8] ^= 1 << bit % 8
    assert is_damaged(bytes(damaged), b"mark")


def test_what_was_never_sealed_is_not_damaged() -> None:
    assert not is_damaged(b"anything", b"mark")
    with pytest.raises(ValueError, match="0 places"):
        seal(b"anything")
