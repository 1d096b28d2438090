"""The figures of a finished cell: one method on one fold with one seed."""

import numpy as np
import numpy.typing as npt
from pydantic import Field

from nni_emodarts.metrics.headline import HEADLINES, Headline
from nni_emodarts.metrics.record import Record
from nni_emodarts.metrics.tallies import Counting
from nni_emodarts.metrics.tracks import SCRATCH
from nni_emodarts.runtime.plain_data import JsonObject

Confusions = dict[str, list[list[int]]]
"""Speaker -> confusion matrix (K, K), rows true, columns predicted."""
Moments = dict[str, list[list[float]]]
"""Speaker -> sums (D, 7), as `nni_emodarts.metrics.dimensions.moments` gives them."""
Answers = dict[str, list[list[int | float]]]
"""Speaker -> for each utterance the number of its true class, then the probability of each class."""


class Enrolled(Record):
    """Least, mean and largest number of recordings that a test utterance was normalised by."""

    least: int
    mean: float
    most: int


class FinishedCell(Record):
    """What a benchmark keeps of a cell: all that pooling, intervals and tests need.

    Attributes:
        method: name of the method.
        fold: number of the fold.
        seed: the seed.
        settings: digest of the settings that decided the figures.
        recordings: digest of the recordings; None of a cell that says nothing of them.
        val_uar: validation UAR; None where validation decided nothing, or there are no classes.
        test_uar: UAR of the test part; None where there are no classes.
        test_wa: its accuracy, likewise.
        best_epoch: the epoch that is scored; None of an SVM.
        parameters: of the network.
        classes: names of the classes.
        track: `scratch` or `pretrained`.
        speaker_adapted: whether unlabelled recordings of the test speakers were used.
        speaker_dependent: whether test speakers were learnt from, too.
        speakers: a confusion matrix of each test speaker.
        seconds: that the search and the training lasted.
        cpu_seconds: processor seconds of both.
        search_cpu_seconds: those of the search.
        environment: versions and hardware.
        answers: what the network answered to each test utterance; None of an SVM.
        architecture: the searched, drawn or carried architecture; None of hand-designed networks and SVMs.
        members: of an ensemble, the share of each architecture by its id.
        search_val_uar: what the search found on validation.
        candidates: how many candidates it had.
        flops: of the network, for one second of audio; None of an SVM.
        budget_cpu_seconds: what random search might spend.
        level: of a probe, the number of the level that was chosen.
        strength: of what chooses its regularisation: C of a logistic or support vector regression, penalty of a ridge
            regression.
        enrolment: enrolment -> a confusion matrix of each test speaker; of speaker-adapted networks, the headline's
            apart.
        enrolled: enrolment -> how many recordings it has.
        task: `dimensions` or `both`, where it is not emotions alone that were learnt.
        dimensions: their names, where there are any.
        moments: of each test speaker the sums that figures of dimensions follow from (D, 7).
        val_ccc: validation CCC, where dimensions were learnt; None where validation decided nothing.
        test_ccc: mean CCC of the test part, likewise.
        val_uar_ccc: mean of validation UAR and CCC, where both were learnt.
        test_uar_ccc: likewise of the test part.
        other_corpora: further corpus -> a confusion matrix of each of its speakers.
        other_moments: further corpus -> of each of its speakers the sums that figures of dimensions follow from.
        other_scales: further corpus -> lowest and highest value of its ratings, where that is stated.
        payer_cpu_seconds: what the search that it is compared with had cost where that was computed.
    """

    method: str
    fold: int
    seed: int
    settings: str | None = None
    recordings: str | None = None
    val_uar: float | None = None
    test_uar: float | None = None
    test_wa: float | None = None
    best_epoch: int | None = None
    parameters: int
    classes: list[str]
    track: str = SCRATCH
    speaker_adapted: bool = False
    speaker_dependent: bool = False
    speakers: Confusions = Field(default_factory=dict)
    seconds: float
    cpu_seconds: float
    search_cpu_seconds: float
    environment: JsonObject
    answers: Answers | None = None
    level: int | None = None
    strength: float | None = None
    enrolment: dict[str, Confusions] | None = None
    enrolled: dict[str, Enrolled] | None = None
    other_corpora: dict[str, Confusions] | None = None
    architecture: JsonObject | None = None
    members: dict[str, float] | None = None
    search_val_uar: float | None = None
    candidates: int | None = None
    flops: int | None = None
    budget_cpu_seconds: float | None = None
    payer_cpu_seconds: float | None = None
    task: str = "emotion"
    dimensions: list[str] | None = None
    moments: Moments | None = None
    other_moments: dict[str, Moments] | None = None
    other_scales: dict[str, tuple[float, float]] | None = None
    val_ccc: float | None = None
    test_ccc: float | None = None
    val_uar_ccc: float | None = None
    test_uar_ccc: float | None = None

    @property
    def headline(self) -> Headline:
        """The figure that it is compared by."""
        return HEADLINES[self.task]

    @property
    def val_score(self) -> float | None:
        """That figure of validation; None where validation decided nothing."""
        found: float | None = getattr(self, self.headline.val)
        return found

    @property
    def test_score(self) -> float:
        """That figure of the test part."""
        found: float | None = getattr(self, self.headline.test)
        return 0.0 if found is None else found

    @property
    def counting(self) -> Counting:
        """How its speakers' sums are laid out."""
        return Counting(len(self.classes), len(self.dimensions or ()))

    @property
    def tallies(self) -> dict[str, npt.NDArray[np.float64]]:
        """Sums of each test speaker in one row, of all that was learnt."""
        return self._rows(self.speakers, self.moments or {})

    @property
    def tallies_elsewhere(self) -> dict[str, dict[str, npt.NDArray[np.float64]]]:
        """The same of each further corpus."""
        told, rated = self.other_corpora or {}, self.other_moments or {}
        return {name: self._rows(told.get(name, {}), rated.get(name, {})) for name in rated or told}

    def _rows(self, told: Confusions, rated: Moments) -> dict[str, npt.NDArray[np.float64]]:
        return {name: self.counting.row(told.get(name), rated.get(name)) for name in rated or told}
