"""A trained network's answers to corpora besides its own, each of them whole."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.data.corpus import Corpus, load_corpus, manifest_paths
from nni_emodarts.data.extraction import extract_in_jobs, heard_in_jobs
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.other_corpora import LabelChoice, Terms, facts_of, read_others, refuse_shared, shared_speakers
from nni_emodarts.errors import RunFolderError
from nni_emodarts.launching import Launch
from nni_emodarts.metrics.other_corpora import CORPUS_COLUMN, figures_by_corpus
from nni_emodarts.metrics.tracks import marked
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.runtime.plain_data import JsonMapping, JsonObject
from nni_emodarts.runtime.progress import Progress, silent
from nni_emodarts.runtime.run_folder import METRICS, OTHER_CORPORA, RunFolder
from nni_emodarts.training.retrain.designs import Design
from nni_emodarts.training.retrain.fitting import Trained
from nni_emodarts.training.retrain.scoring import predictions

KEY = "other_corpora"
"""Entry of metrics.json: name of each further corpus -> figures."""


@dataclass(frozen=True)
class Asked:
    """Which corpora networks are to be scored on, before they are read.

    Attributes:
        manifests: CSV files; `synthetic` is the embedded corpus.
        choice: what becomes of labels and ratings that are not in the networks' terms.
    """

    manifests: tuple[str, ...] = ()
    choice: LabelChoice = field(default_factory=LabelChoice)

    def load(
        self,
        config: ExperimentConfig,
        terms: Terms,
        progress: Progress = silent,
        note: Callable[[str], None] = lambda text: None,
        launch: Launch | None = None,
    ) -> "Elsewhere":
        """Read the manifests and hear their recordings as a configuration hears its own.

        Args:
            config: the whole configuration; what was merged for the training is merged here, too.
            terms: what the networks answer in.
            progress: called as features are extracted.
            note: called with what a person should know of the figures.
            launch: the jobs that extract features.

        Raises:
            ManifestError: as for `read_others`.
            BadRecordings: recordings that cannot be used.
        """
        inherited = {**config.data.merge, **self.choice.inherited}
        paths = manifest_paths(self.manifests, config.data)
        others = read_others(paths, terms, replace(self.choice, inherited=inherited))
        for text in (each for other in others for each in other.notes):
            note(text)
        for other in others:
            extract_in_jobs(config, other.manifest, launch, progress, note)
        heard = heard_in_jobs(config, launch)
        corpora = tuple((other.name, load_corpus(heard, other.manifest, progress)) for other in others)
        return Elsewhere(corpora, self)


@dataclass(frozen=True)
class Elsewhere:
    """Corpora that each network is scored on besides its own test part; they choose nothing.

    Attributes:
        corpora: name -> the corpus, in the terms of the training.
        asked: what they were read by.
    """

    corpora: tuple[tuple[str, Corpus], ...] = ()
    asked: Asked = field(default_factory=Asked)

    @property
    def digest(self) -> str:
        """Short, of what their figures depend on besides the network; ratings and scales are in a manifest's own."""
        known = [(name, corpus.manifest.digest, corpus.recordings) for name, corpus in self.corpora]
        labels = [corpus.manifest.table["emotion"].tolist() for _, corpus in self.corpora]
        return sha256(json.dumps([known, labels]).encode()).hexdigest()[:12]

    @property
    def names(self) -> tuple[str, ...]:
        """What they are called."""
        return tuple(name for name, _ in self.corpora)

    def of_another_scale(self, scales: Mapping[str, Sequence[float]]) -> list[str]:
        """What of finished figures is on another scale than here: of corpora of these names, those that are known.

        Args:
            scales: name of a corpus that was scored on -> the scale that its ratings were on; nothing where none was.
        """
        own = {name: tuple(corpus.manifest.scale or ()) for name, corpus in self.corpora}
        shown = {name: "..".join(f"{bound:g}" for bound in scale) or "no scale" for name, scale in scales.items()}
        return [f"{name} on {shown[name]}" for name, scale in scales.items() if own.get(name, scale) != tuple(scale)]

    def shared(self, task: FoldTask, origin: JsonMapping) -> dict[str, list[str]]:
        """Name of each corpus -> its speakers whom the task's network learns from, or whom a search saw."""
        learnt = task.learnt
        return {
            name: sorted({*shared_speakers(learnt, corpus), *shared_speakers(origin, corpus)})
            for name, corpus in self.corpora
        }

    def refuse_shared(self, tasks: Sequence[FoldTask], origin: JsonMapping) -> None:
        """Refuse corpora with speakers of the training.

        Raises:
            OverlapError: there are some.
        """
        each = [self.shared(task, origin) for task in tasks] if self.corpora else []
        for name in self.names:
            refuse_shared(name, sorted({speaker for own in each for speaker in own[name]}))

    def refuse_without(self, cells: Sequence[RunFolder]) -> None:
        """Refuse networks that were trained without being scored on these corpora.

        Raises:
            RunFolderError: there are some.
        """
        for cell in cells:
            lacking = [name for name in self.names if name not in cell.read_json(METRICS).get(KEY, {})]
            if lacking:
                raise RunFolderError(
                    f"network {cell.path} is finished and was not scored on {', '.join(lacking)}; leave "
                    f"--test-manifest out and score it by emodarts score"
                )

    def refuse_other_scales(self, cells: Sequence[RunFolder]) -> None:
        """Refuse to pool with networks that were scored on these corpora on other scales.

        Raises:
            RunFolderError: there are some.
        """
        for cell in cells:
            found = cell.read_json(METRICS).get(KEY, {})
            odd = self.of_another_scale({name: own.get("scale", ()) for name, own in found.items()})
            if odd:
                raise RunFolderError(
                    f"network {cell.path} was scored on {', '.join(odd)}; name the same by --test-scale, or leave "
                    f"--test-manifest out and score it by emodarts score"
                )

    def answers(self, task: FoldTask, design: Design, trained: Trained) -> pd.DataFrame:
        """A network's answers to all corpora; a column `corpus` names each."""
        tables = {}
        for name, corpus in self.corpora:
            own = task.elsewhere(corpus, trained.normalizer).hearing(design.levels, design.heard)
            tables[name] = predictions(own, trained, own.fold.test)
        return joined(tables)

    def measure(self, task: FoldTask, design: Design, trained: Trained, folder: RunFolder) -> JsonObject:
        """Write a network's answers to a folder; their figures, with the speakers that it learnt from."""
        if not self.corpora:
            return {}
        origin = design.origin if isinstance(design, Architecture) else {}
        return self.note(task, self.answers(task, design, trained), folder, origin)

    def note(self, task: FoldTask, answers: pd.DataFrame, folder: RunFolder, origin: JsonMapping) -> JsonObject:
        """Write answers to all corpora; their figures, with the speakers that were learnt from or seen by a search."""
        table = marked(answers, task.config.tracks)
        folder.write_csv(OTHER_CORPORA, table)
        shared = self.shared(task, origin)
        figures = figures_by_corpus(table, task.corpus.manifest.classes)
        return {KEY: {name: figures[name] | facts_of(each.manifest, shared[name]) for name, each in self.corpora}}


def joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Answers by corpus as one table, whose first column names the corpus."""
    for name, table in tables.items():
        table.insert(0, CORPUS_COLUMN, name)
    return pd.concat(list(tables.values()), ignore_index=True)


def pool_elsewhere(folder: RunFolder, cells: Sequence[RunFolder], classes: Sequence[str]) -> JsonObject:
    """The figures of all networks on other corpora together, where all have answered them; writes their answers."""
    if not all(cell.has(OTHER_CORPORA) for cell in cells):
        return {}
    table = pd.concat([cell.read_csv(OTHER_CORPORA) for cell in cells], ignore_index=True)
    folder.write_csv(OTHER_CORPORA, table)
    facts: dict[str, JsonObject] = {}
    for cell in cells:
        for name, own in cell.read_json(METRICS).get(KEY, {}).items():
            known = facts.setdefault(name, {})
            shared = sorted({*known.get("overlap", ()), *own.get("overlap", ())})
            known |= {**({"overlap": shared} if shared else {}), **({"scale": own["scale"]} if "scale" in own else {})}
    figures = figures_by_corpus(table, classes)
    return {KEY: {name: {**own, **facts.get(name, {})} for name, own in figures.items()}}
