"""Halving over replicates as real trials of a real experiment."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from test_search_by_trials import command, read_database

from nni_emodarts import Architecture


@pytest.mark.slow
def test_further_trainings_are_trials_of_their_own(small_manifest: Path, home: Path, tmp_path: Path) -> None:
    """Two candidates, two splits: each is a trial for its first training, and one for its second."""
    out = tmp_path / "out"
    settings = ("search.options.candidates=2", "search.estimate.folds=2", "search.estimate.halving=true")
    sets = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run(
        command(small_manifest, out, "--strategy", "predictor", *sets), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "reliability" in done.stdout
    ((name, _),) = json.loads((out / "candidates" / "search.json").read_text())["experiments"]
    parameters, figures = read_database(home, name)
    space = Architecture.load(out / "architecture.json").space
    counts: list[int] = []
    for trial, flat in parameters.items():
        count = flat.pop("replicates", 1)
        counts.append(count)
        booked = Architecture.from_choices(space, flat, 4, (1, 40))
        held = json.loads((out / "candidates" / booked.id / "metrics.json").read_text())["replicates"]
        assert figures[trial]["default"] == pytest.approx(np.mean([each["val_uar"] for each in held[:count]]))
    assert sorted(counts) == [1, 1, 2, 2]
