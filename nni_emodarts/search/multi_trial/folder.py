"""What a search by trials keeps in its folder, so that it can go on after it was killed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pandas as pd

from nni_emodarts.config import located, refuse_other_settings
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import flat_choices, flat_sample
from nni_emodarts.runtime.plain_data import JsonObject
from nni_emodarts.runtime.run_folder import (
    ARCHITECTURE,
    CANDIDATE_FOLDERS,
    CONFIG,
    ERROR,
    FAILURE,
    METRICS,
    RunFolder,
    refuse_other,
)
from nni_emodarts.search.multi_trial.ledger import Entry

_STATE = "search.json"
_COLUMNS = ("candidate", "id", "status", "val_uar", "parameters", "seconds")


class SearchFolder:
    """The folder of a search: `candidates/ID/` for each candidate, and on top what became of them."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self._all = run.child(CANDIDATE_FOLDERS)

    @classmethod
    def start(cls, run: RunFolder, task: FoldTask) -> Self:
        """Note the settings of a search, or check that one that goes on has the same.

        Args:
            run: the output folder.
            task: the fold to search on.

        Raises:
            RunFolderError: they differ.
        """
        config = task.config
        refuse_other_settings(run, config)
        folder = cls(run)
        asked = {"manifest": task.corpus.manifest.digest, "fold": task.fold.index, "seed": task.seed}
        if folder._all.has(_STATE):
            refuse_other("search", run, folder._all.read_json(_STATE), asked)
        else:
            folder._all.write_json(_STATE, {**asked, "experiments": []})
        run.write_text(CONFIG, config.to_yaml())
        folder._all.write_text(CONFIG, located(config).to_yaml())
        return folder

    @property
    def candidates(self) -> Path:
        """Folder of the candidates' folders."""
        return self._all.path.resolve()

    @property
    def trial_config(self) -> Path:
        """The configuration as trials read it, with absolute paths."""
        return self.candidates / CONFIG

    def candidate(self, name: str) -> RunFolder:
        """Folder of an architecture's id."""
        return self._all.child(name)

    def finished(self) -> dict[str, tuple[Architecture, float]]:
        """Candidates that were trained, in the order of the search: id -> architecture and validation UAR."""
        found = []
        for file in sorted(self._all.path.glob(f"*/{METRICS}")):
            architecture = Architecture.load(file.with_name(ARCHITECTURE))
            found.append((architecture, float(RunFolder(file.parent).read_json(METRICS)["val_uar"])))
        found.sort(key=lambda each: each[0].origin.get("candidate", 0))
        return {architecture.id: (architecture, val_uar) for architecture, val_uar in found}

    def experiments(self) -> list[tuple[str, int]]:
        """Id and port of each NNI experiment that trained candidates."""
        return [(name, port) for name, port in self._all.read_json(_STATE)["experiments"]]

    def add_experiment(self, name: str, port: int) -> None:
        """Note an experiment, so that it can be found and stopped after this process was killed."""
        state = self._all.read_json(_STATE)
        self._all.write_json(_STATE, {**state, "experiments": [*state["experiments"], [name, port]]})

    def note_failure(self, entry: Entry) -> None:
        """Keep why a candidate failed beside its architecture."""
        self.candidate(entry.architecture.id).write_text(ERROR, f"{entry.error}\n")

    def table(self, entries: Sequence[Entry]) -> pd.DataFrame:
        """A row for each candidate, in the order of the search: figures, then its choice at every label."""
        rows = [self._row(number, entry) for number, entry in enumerate(entries)]
        return pd.DataFrame(rows, columns=[*_COLUMNS, *flat_choices(entries[0].architecture.space)])

    def cost(self, entries: Sequence[Entry]) -> dict[str, float]:
        """Seconds that training the candidates took, failed ones too, in this run and in those that were cut off."""
        held = [each for entry in entries for each in self._figures(entry)]
        return {f"candidate_{name}": round(sum(each[name] for each in held), 3) for name in ("seconds", "cpu_seconds")}

    def _figures(self, entry: Entry) -> list[JsonObject]:
        """What the trainings of a candidate left; one that was killed left nothing."""
        folder = self.candidate(entry.architecture.id)
        return [folder.read_json(name) for name in (FAILURE, METRICS) if folder.has(name)]

    def _row(self, number: int, entry: Entry) -> JsonObject:
        row: JsonObject = {"candidate": number, "id": entry.architecture.id, **flat_sample(entry.architecture)}
        if entry.val_uar is None:
            return {**row, "status": "failed", "seconds": sum(each["seconds"] for each in self._figures(entry))}
        metrics = self.candidate(entry.architecture.id).read_json(METRICS)
        return {**row, "status": "trained", **{name: metrics[name] for name in ("val_uar", "parameters", "seconds")}}
