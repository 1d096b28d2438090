"""What a search by trials keeps in its folder, so that it can go on after it was killed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import pandas as pd

from nni_emodarts.config import located, refuse_other_settings
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.metrics.headline import validation_keys
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import flat_choices, flat_sample
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
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
from nni_emodarts.search.multi_trial.estimating import Measures, read_replicates
from nni_emodarts.search.multi_trial.ledger import Entry
from nni_emodarts.search.multi_trial.replicates import Estimate

_STATE = "search.json"
_FIRST, _LAST = ("candidate", "id", "status"), ("parameters", "seconds")


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

    def finished(self, how: Measures) -> dict[str, tuple[Architecture, float]]:
        """Candidates that were trained, in the order of the search: id -> architecture and its first score.

        Args:
            how: how they are measured.
        """
        found = []
        for file in sorted(self._all.path.glob(f"*/{ARCHITECTURE}")):
            known = how.held(RunFolder(file.parent), how.first)
            if known is not None:
                found.append((Architecture.load(file), known.score))
        found.sort(key=lambda each: each[0].origin.get("candidate", 0))
        return {architecture.id: (architecture, score) for architecture, score in found}

    def estimates(self, entries: Sequence[Entry], how: Measures) -> dict[str, Estimate]:
        """What is known of each candidate that was trained, by all replicates that it has."""
        names = [entry.architecture.id for entry in entries if entry.score is not None]
        found = {name: how.held(self.candidate(name)) for name in names}
        return {name: known for name, known in found.items() if known is not None}

    def parameters(self, name: str) -> int:
        """Of the network of a candidate that was trained."""
        return int(self.candidate(name).read_json(METRICS)["parameters"])

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

    def table(self, entries: Sequence[Entry], more: Mapping[str, JsonMapping] | None = None) -> pd.DataFrame:
        """A row for each candidate, in the order of the search: figures, then its choice at every label.

        Args:
            entries: the candidates, one at least.
            more: further figures of those that were trained, by id.
        """
        trained = [
            self.candidate(entry.architecture.id).read_json(METRICS) for entry in entries if entry.score is not None
        ]
        columns = (*_FIRST, *validation_keys(trained), *_LAST)
        further = dict.fromkeys(name for figures in (more or {}).values() for name in figures if name not in columns)
        rows = [
            {**self._row(number, entry), **(more or {}).get(entry.architecture.id, {})}
            for number, entry in enumerate(entries)
        ]
        return pd.DataFrame(rows, columns=[*columns, *further, *flat_choices(entries[0].architecture.space)])

    def cost(self, entries: Sequence[Entry]) -> dict[str, float]:
        """Seconds that training the candidates took, failed ones too, in this run and in those that were cut off."""
        held = [each for entry in entries for each in self._figures(entry)]
        return {f"candidate_{name}": round(sum(each[name] for each in held), 3) for name in ("seconds", "cpu_seconds")}

    def _figures(self, entry: Entry) -> list[JsonObject]:
        """What trainings of a candidate left, also those before one that failed; one that was killed left nothing."""
        folder = self.candidate(entry.architecture.id)
        whole = [folder.read_json(name) for name in (FAILURE, METRICS) if folder.has(name)]
        part = [] if folder.has(METRICS) else [each.to_data() for each in read_replicates(folder)]
        return [*whole, *part]

    def _row(self, number: int, entry: Entry) -> JsonObject:
        row: JsonObject = {"candidate": number, "id": entry.architecture.id, **flat_sample(entry.architecture)}
        if entry.score is None:
            return {**row, "status": "failed", "seconds": sum(each["seconds"] for each in self._figures(entry))}
        metrics = self.candidate(entry.architecture.id).read_json(METRICS)
        return {**row, "status": "trained", **{name: metrics[name] for name in (*validation_keys([metrics]), *_LAST)}}
