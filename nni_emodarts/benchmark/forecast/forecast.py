"""From what a pilot measured to what the whole takes, on some machines."""

from dataclasses import asdict, dataclass
from statistics import mean

from nni_emodarts.benchmark.forecast.measured import Extraction, Measured, Pilot
from nni_emodarts.data.batches.batches import KEPT_BYTES
from nni_emodarts.runtime.plain_data import JsonObject


@dataclass(frozen=True)
class Work:
    """The whole that is to be done.

    Attributes:
        utterances: of the corpus.
        missing: those whose features are not there.
        parts: utterances of a fold that are learnt from, and that validate.
        cells: folds times seeds.
        longer: how many times as large as the corpus that was measured it is taken to be.
        trainings: trainings of each cell: two where it is validated and then learns from all.
    """

    utterances: int
    missing: int
    parts: tuple[int, int]
    cells: int
    longer: float = 1.0
    trainings: int = 1


@dataclass(frozen=True)
class Shape:
    """What does it.

    Attributes:
        machines: how many, each like this one.
        workers: processes of each, which compute cells.
    """

    machines: int
    workers: int


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes:
        shape: on what.
        extraction: seconds, on the clock.
        search: seconds of the search of a cell.
        training: seconds of its trainings.
        start: seconds until a process begins with its first cell.
        cells: seconds of all cells, on the clock.
        machine_hours: hours that all machines are busy, together.
        memory: most bytes of a process.
        feature_bytes: bytes of all features.
        feature_files: files that hold them.
        run_bytes: bytes of all run folders.
    """

    shape: Shape
    extraction: float
    search: float
    training: float
    start: float
    cells: float
    machine_hours: float
    memory: int
    feature_bytes: int
    feature_files: int
    run_bytes: int

    @property
    def seconds(self) -> float:
        """Of the whole, on the clock."""
        return self.extraction + self.cells

    def to_data(self) -> JsonObject:
        """As an object for JSON."""
        return {**asdict(self), "seconds": self.seconds}


def forecast(measured: Measured, work: Work, shape: Shape) -> Forecast:
    """What the whole takes.

    Utterances count alike, since those that were measured were drawn at random. Cells are of equal length, and a
    machine's processes were measured at once, so that what they take from each other is in the figures. What is not in
    them is a share that is slower than this machine's disk.

    Args:
        measured: on this machine, with as many processes as `shape` has for each.
        work: what is to be done.
        shape: what does it.
    """
    pilots, extraction = measured.pilots, measured.extraction
    part = sum(pilots[0].parts)
    larger = work.longer * sum(work.parts) / part
    search = mean(pilot.search.seconds(larger) for pilot in pilots)
    training = work.trainings * mean(steps.seconds(larger) for pilot in pilots for steps in pilot.networks)
    start = mean(pilot.start + pilot.load * work.longer * work.utterances / part for pilot in pilots)
    rounds = -(-work.cells // (shape.machines * shape.workers))
    heard = work.longer * work.utterances / extraction.utterances
    extracting = _extracting(extraction, work, shape)
    computing = start + rounds * (search + training)
    busy = extracting * shape.machines + work.cells * (search + training) / shape.workers
    return Forecast(
        shape=shape,
        extraction=extracting,
        search=search,
        training=training,
        start=start,
        cells=computing,
        machine_hours=busy / 3600,
        memory=max(_memory(pilot, work) for pilot in pilots),
        feature_bytes=round(extraction.disk * heard),
        feature_files=round(extraction.files * heard),
        run_bytes=round(mean(pilot.disk for pilot in pilots)) * work.cells,
    )


def _extracting(extraction: Extraction, work: Work, shape: Shape) -> float:
    if not work.missing:
        return 0.0
    each = extraction.seconds / extraction.utterances
    return extraction.start + each * work.longer * work.missing / shape.machines


def _memory(pilot: Pilot, work: Work) -> int:
    return pilot.memory - _kept(pilot.read, pilot.parts, 1.0) + _kept(pilot.read, work.parts, work.longer)


def _kept(read: tuple[int, int], parts: tuple[int, int], longer: float) -> int:
    """Bytes of features that a process keeps while it learns: those of a part that are few enough."""
    sizes = [[round(each * part * longer) for part in parts] for each in read]
    return max(sum(size for size in those if size <= KEPT_BYTES) for those in sizes)
