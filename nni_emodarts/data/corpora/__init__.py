"""Corpora: one module each, from the recordings and label files of a corpus as it is distributed to a manifest.

Modules are imported when a corpus is read, so that corpora can be listed without pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nni_emodarts.config import nearest
from nni_emodarts.config.registry import Entry, Registry
from nni_emodarts.data.corpora.card import CorpusCard, Reader
from nni_emodarts.errors import ConfigError

if TYPE_CHECKING:
    from nni_emodarts.data.corpora.preparation import prepare, write_manifest

__all__ = [
    "CORPORA",
    "CorpusCard",
    "Reader",
    "corpus_cards",
    "corpus_names",
    "corpus_reader",
    "prepare",
    "write_manifest",
]

CORPORA: Registry[Entry[Reader]] = Registry(
    "corpus",
    Entry("iemocap", f"{__name__}.iemocap"),
    Entry("msp_improv", f"{__name__}.msp_improv"),
    Entry("msp_podcast", f"{__name__}.msp_podcast"),
    Entry("emodb", f"{__name__}.emodb"),
    Entry("ravdess", f"{__name__}.ravdess"),
    Entry("crema_d", f"{__name__}.crema_d"),
    Entry("tess", f"{__name__}.tess"),
    Entry("nemo", f"{__name__}.nemo"),
    Entry("savee", f"{__name__}.savee"),
    Entry("esd", f"{__name__}.esd"),
    Entry("csv", f"{__name__}.csv_table"),  # a module csv would hide that of the standard library
)
"""The corpora that can be read; `csv` is anyone's own table."""


def corpus_names() -> tuple[str, ...]:
    """Names of the corpora that can be read."""
    return tuple(CORPORA)


def corpus_reader(name: str) -> Reader:
    """The reader of a corpus.

    Raises:
        ConfigError: there is none of this name.
    """
    if name not in CORPORA:
        raise ConfigError(f"no corpus {name!r}{nearest(name, CORPORA)}; list any other one in a CSV file and use csv")
    return CORPORA[name].load()


def corpus_cards() -> list[CorpusCard]:
    """The card of each corpus that can be read."""
    return [corpus_reader(name).CARD for name in corpus_names()]


def __getattr__(name: str) -> Any:
    if name not in ("prepare", "write_manifest"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.preparation"), name)
