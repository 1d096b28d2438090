"""What every reader of a corpus says of it, and does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from nni_emodarts.config import nearest
from nni_emodarts.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CorpusCard:
    """A corpus in data. Counts are those of its public documentation; None where that gives none, or it depends.

    Attributes:
        name: what the command line calls it.
        title: its own name, written out.
        citation: what to cite.
        licence: under what terms it is to be had; the corpus's own text is what counts.
        url: its public home page.
        language: language or languages spoken.
        emotions: the classes that the reader can give, sorted.
        layout: what the reader expects under the root.
        protocol: the protocol that suits it.
        speakers: number of speakers.
        utterances: number of utterances of the whole corpus.
        hours: length of the whole corpus in hours, rounded.
        default_emotions: the classes of the usual experiment; all of them where empty. A suggestion to callers.
        scale: lowest and highest value of its dimensions, where it has any.
        options: option of `read` -> its values, the default first; () where it takes any text.
        notes: what one should know before using it.
    """

    name: str
    title: str
    citation: str
    licence: str
    url: str
    language: str
    emotions: tuple[str, ...]
    layout: str
    protocol: str
    speakers: int | None = None
    utterances: int | None = None
    hours: float | None = None
    default_emotions: tuple[str, ...] = ()
    scale: tuple[float, float] | None = None
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: str = ""

    def check_option(self, option: str, value: str) -> None:
        """Refuse an option that the corpus does not have, or a value that the option does not take.

        Raises:
            ConfigError: with the known ones.
        """
        if option not in self.options:
            known = nearest(option, self.options) if self.options else "; it has none"
            raise ConfigError(f"corpus {self.name}: no option {option!r}{known}")
        values = self.options[option]
        if values and value not in values:
            raise ConfigError(f"corpus {self.name}: option {option} is {value!r}{nearest(value, values)}")


class Reader(Protocol):
    """A module of this package that reads a corpus."""

    CARD: CorpusCard

    @property
    def read(self) -> Callable[..., "pd.DataFrame"]:
        """`read(root: Path, **options: str)`: the utterances, one a row.

        The columns are those of a manifest: `file` (below the root), `emotion` and `speaker`, and any of `session`,
        `gender`, `text`, `split`, `start`, `end`, and of the dimensions `arousal`, `valence`, `dominance`, numbers as
        text on the card's `scale`, and `votes` as in a manifest; "" stands for unknown. It raises `ManifestError` where
        the root is not the corpus, and names all faults of the corpus in one message. What else it has to say is
        among the table's notes (`files.with_notes`).
        """
        ...
