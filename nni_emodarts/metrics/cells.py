"""The figures of a finished cell: one method on one fold with one seed."""

from nni_emodarts.metrics.record import Record
from nni_emodarts.metrics.tracks import SCRATCH
from nni_emodarts.runtime.plain_data import JsonObject

Confusions = dict[str, list[list[int]]]
"""Speaker -> confusion matrix (K, K), rows true, columns predicted."""
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
        val_uar: validation UAR; None where validation decided nothing.
        test_uar: UAR of the test part.
        test_wa: its accuracy.
        best_epoch: the epoch that is scored; None of an SVM.
        parameters: of the network.
        classes: names of the classes.
        track: `scratch` or `pretrained`.
        speaker_adapted: whether unlabelled recordings of the test speakers were used.
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
        strength: of a probe, C of its logistic regression.
        enrolment: enrolment -> a confusion matrix of each test speaker; of speaker-adapted networks, the headline's
            apart.
        enrolled: enrolment -> how many recordings it has.
        payer_cpu_seconds: what the search that it is compared with had cost where that was computed.
    """

    method: str
    fold: int
    seed: int
    settings: str | None = None
    recordings: str | None = None
    val_uar: float | None
    test_uar: float
    test_wa: float
    best_epoch: int | None = None
    parameters: int
    classes: list[str]
    track: str = SCRATCH
    speaker_adapted: bool = False
    speakers: Confusions
    seconds: float
    cpu_seconds: float
    search_cpu_seconds: float
    environment: JsonObject
    answers: Answers | None = None
    level: int | None = None
    strength: float | None = None
    enrolment: dict[str, Confusions] | None = None
    enrolled: dict[str, Enrolled] | None = None
    architecture: JsonObject | None = None
    members: dict[str, float] | None = None
    search_val_uar: float | None = None
    candidates: int | None = None
    flops: int | None = None
    budget_cpu_seconds: float | None = None
    payer_cpu_seconds: float | None = None
