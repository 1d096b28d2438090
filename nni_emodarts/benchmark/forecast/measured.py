"""What a pilot measures: the steps of a part of the work, from which those of the whole follow."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from nni_emodarts.runtime.plain_data import JsonObject


@dataclass(frozen=True)
class Steps:
    """Seconds of a job that goes on in steps: epochs of a network, or trials of a search.

    Attributes:
        each: seconds of the steps that were done, in order, without what comes before the first.
        before: seconds before the first step, such as to build the network.
        after: seconds after the last.
        of: steps of the whole job.
    """

    each: tuple[float, ...]
    before: float
    after: float
    of: int

    @classmethod
    def of_moments(cls, moments: Sequence[float], ended: float, of: int) -> "Steps":
        """Read a clock that was looked at when the job began and after each step.

        What the first step takes longer than the second is taken for preparation: memory that is had for the first
        time, a cache that fills.

        Args:
            moments: seconds at which the job began, then those after each step; at least two steps.
            ended: when it was over.
            of: steps of the whole job.
        """
        each = [late - early for early, late in pairwise(moments)]
        before = max(0.0, each[0] - each[1]) if len(each) > 1 else 0.0
        return cls((each[0] - before, *each[1:]), before, ended - moments[-1], of)

    def seconds(self, larger: float) -> float:
        """Seconds of the whole job.

        Those of its beginning are as they were; each step that was not done is like the later half of those that were,
        since the first of a search may be its cheap ones.

        Args:
            larger: how many times as many utterances the whole has.
        """
        done = self.each[: self.of]
        later = self.each[len(self.each) // 2 :]
        missing = (self.of - len(done)) * sum(later) / len(later)
        return self.before + larger * (sum(done) + missing + self.after)


@dataclass(frozen=True)
class Extraction:
    """What extraction took of some utterances.

    Attributes:
        start: seconds before the first, such as to read an encoder's weights.
        utterances: how many.
        seconds: of these, with all the processes of a machine.
        disk: bytes that their features take.
        files: files that hold them.
    """

    start: float
    utterances: int
    seconds: float
    disk: int
    files: int


@dataclass(frozen=True)
class Pilot:
    """What one of several processes measured on a part of a fold, all at once as later.

    Attributes:
        start: seconds from the start of the process until it can load a corpus.
        load: seconds to load the corpus of the part, whose features are there.
        parts: utterances that are learnt from, and that validate.
        search: of a search.
        networks: of trainings, each of another architecture.
        memory: most bytes of its own that the process had, without the pages of files.
        read: bytes of an utterance as a search reads it, and as a network does.
        disk: bytes of its run folder.
    """

    start: float
    load: float
    parts: tuple[int, int]
    search: Steps
    networks: tuple[Steps, ...]
    memory: int
    read: tuple[int, int]
    disk: int


@dataclass(frozen=True)
class Measured:
    """All that was measured on this machine.

    Attributes:
        extraction: of the features.
        pilots: of each process.
    """

    extraction: Extraction
    pilots: tuple[Pilot, ...]

    def to_data(self) -> JsonObject:
        """As an object for JSON."""
        return asdict(self)
