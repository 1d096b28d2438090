"""A strategy, a corpus and a method that the package does not know: their code, and the entry of each."""

from pathlib import Path
from typing import Any

import pandas as pd

from nni_emodarts.benchmark.methods import Method, MethodEntry
from nni_emodarts.config.registry import Entry
from nni_emodarts.config.sections import PositiveInt
from nni_emodarts.config.strategies import Strategy
from nni_emodarts.config.strategy_options import RandomOneShotOptions, StrategyOptions
from nni_emodarts.data.corpora import CorpusCard, Reader
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.baselines import Baseline
from nni_emodarts.search.one_shot.random_one_shot import RandomOneShot


class MadeUpOptions(StrategyOptions):
    draws: PositiveInt = 7


def make(options: MadeUpOptions, gradient_clip: float, terms: list[Any]) -> Any:
    return RandomOneShot(RandomOneShotOptions(samples=options.draws), gradient_clip, terms)


STRATEGY = Strategy("made_up", f"{__name__}:make", "one-shot", MadeUpOptions, "what nobody asked for")

CARD = CorpusCard(
    name="made_up_corpus",
    title="A corpus of nobody",
    citation="none",
    licence="none",
    url="https://example.org/nobody",
    language="none",
    emotions=("bliss", "gloom"),
    layout="recordings named like SPEAKER_EMOTION.wav",
    protocol="loso",
)


def read(root: Path) -> pd.DataFrame:
    rows = [(str(file), *file.stem.split("_")) for file in sorted(root.glob("*.wav"))]
    return pd.DataFrame(rows, columns=["file", "speaker", "emotion"])


CORPUS: Entry[Reader] = Entry("made_up_corpus", __name__)


def design(task: FoldTask, method: Method) -> Baseline:
    return Baseline("cnn", task.config.space.dropout)


METHOD = MethodEntry("made_up_method", f"{__name__}:design", "network")
