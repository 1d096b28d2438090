"""Front ends as a list: what each is, and whether it can be heard with on this machine."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

from nni_emodarts.config import PretrainedStream
from nni_emodarts.config.streams import stream_name
from nni_emodarts.data.front_ends.catalogue import FRONT_ENDS, Known
from nni_emodarts.data.front_ends.facts import FRAME_MS
from nni_emodarts.data.front_ends.families import EXTRA
from nni_emodarts.data.front_ends.sources import find_source
from nni_emodarts.errors import FrontEndError


@dataclass(frozen=True)
class Listed:
    """A front end that is known by name.

    Attributes:
        known: what it is.
        here: whether its weights are on this machine.
        extra: the extra of this package that it needs and that is not installed, if any.
        fault: why what lies on this machine cannot be used, if so.
    """

    known: Known
    here: bool
    extra: str | None = None
    fault: str | None = None

    @property
    def hop_ms(self) -> float:
        """From one of its own frames to the next."""
        return FRAME_MS

    @property
    def state(self) -> str:
        """Where it is and what it needs, in words."""
        needs = f"pip install 'nni_emodarts[{self.extra}]'" if self.extra else ""
        where = "on this machine" if self.here else f"fetched when first used ({self.known.parameters * 4e-3:.1f} GB)"
        return "; ".join(part for part in (self.fault or where, needs) if part)


def listed_front_ends() -> Iterator[Listed]:
    """The front ends that are known by name; nothing is fetched or loaded."""
    has_extra = find_spec("transformers") is not None
    for name, known in FRONT_ENDS.items():
        extra = None if known.url is not None or has_extra else EXTRA
        try:
            source = find_source(PretrainedStream(name=stream_name(name), model=name))
        except FrontEndError as error:
            yield Listed(known, here=False, extra=extra, fault=str(error))
        else:
            yield Listed(known, here=source is not None, extra=extra)
