"""EmoBox's folds of the corpora that are read here (Ma et al., EmoBox, Interspeech 2024).

They are those of github.com/emo-box/EmoBox, whose README states the MIT licence; no file of it is shipped. Where its
folds follow a rule, or are groups of speakers, they are made anew from the manifest: IEMOCAP's are its sessions,
SAVEE's its speakers, RAVDESS's six groups of four actors. EmoBox drew the groups of RAVDESS and of ESD without a seed,
and single recordings of EMO-DB, CREMA-D and TESS, so that what is not written down here is read from a checkout of its
repository: `data/NAME/fold_K/NAME_test_fold_K.jsonl`, and the lists that train beside it.

EmoBox validates on a fifth of the training recordings, drawn anew by whoever trains; there is no such list. Here the
next fold validates; where there is but one fold, every fifth training recording of an emotion, by name.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from nni_emodarts.data.manifest import Manifest
from nni_emodarts.data.table import enumerate_some
from nni_emodarts.errors import ConfigError, ProtocolError
from nni_emodarts.runtime.reading import UnreadableError, read_text

NAME = "emobox"
SOURCE = "EmoBox (github.com/emo-box/EmoBox, MIT licence as its README states)"

FOLDERS = {
    **{name: name for name in ("emodb", "esd", "iemocap", "ravdess", "savee", "tess")},
    "crema_d": "cremad",
}
"""Corpus -> what EmoBox calls it."""

RAVDESS_ACTORS = (
    ("01", "11", "20", "21"),
    ("04", "10", "12", "14"),
    ("08", "09", "19", "23"),
    ("03", "05", "07", "24"),
    ("02", "15", "16", "18"),
    ("06", "13", "17", "22"),
)
"""Actors that test in each fold, as EmoBox's lists have them."""

SHARED = ("crema_d", "emodb", "tess")
"""Corpora whose folds divide the recordings, whoever speaks: all speakers are on both sides."""
VALIDATING = 5
"""Of a single fold, so many training recordings of an emotion for one that validates."""
_LARGEST_LIST = 64 * 2**20


def emobox_folds(corpus: str, manifest: Manifest, checkout: Path | None) -> pd.DataFrame:
    """EmoBox's folds of a manifest, as a list of folds: columns `file` and `fold`, of a single fold `split` besides.

    Args:
        corpus: name of the corpus.
        manifest: its utterances.
        checkout: folder of a checkout of EmoBox's repository; folds follow from the manifest where absent.

    Raises:
        ConfigError: EmoBox has no folds of this corpus, or they need a checkout.
        ProtocolError: the checkout lacks its lists, or they lack recordings.
    """
    if corpus not in FOLDERS:
        raise ConfigError(
            f"folds {NAME}: no folds of {corpus} are known here; known: {', '.join(sorted(FOLDERS))}. Write the lists "
            f"of others as a CSV file with columns file and fold, and name it by --protocol file:FOLDS.csv"
        )
    if checkout is not None:
        return _from_lists(corpus, manifest, checkout)
    if corpus not in _RULES:
        raise ConfigError(
            f"folds {NAME}: EmoBox drew its folds of {corpus} at random and they are not shipped here; clone "
            f"github.com/emo-box/EmoBox and name the folder: --folds {NAME}:EmoBox"
        )
    fold = _RULES[corpus](manifest.table)
    if (fold == "").any():
        lost = sorted(set(manifest.table.loc[fold == "", "speaker"]))
        speakers = f"speaker{'s' if len(lost) > 1 else ''} {enumerate_some(lost)}"
        raise ProtocolError(f"folds {NAME}: EmoBox has no fold for {speakers} of {corpus}")
    return pd.DataFrame({"file": manifest.names, "fold": fold}).drop_duplicates("file")


def _groups_of_actors(table: pd.DataFrame) -> "pd.Series[str]":
    fold = {actor: str(number) for number, actors in enumerate(RAVDESS_ACTORS, 1) for actor in actors}
    return table["speaker"].map(fold).fillna("")


def _speakers(table: pd.DataFrame) -> "pd.Series[str]":
    order = {name: str(number) for number, name in enumerate(sorted(set(table["speaker"]) - {""}), 1)}
    return table["speaker"].map(order).fillna("")


def _sessions(table: pd.DataFrame) -> "pd.Series[str]":
    found: pd.Series[str] = table["session"].str.extract(r"0*(\d+)", expand=False).fillna("")
    return found


_RULES = {"ravdess": _groups_of_actors, "savee": _speakers, "iemocap": _sessions}
"""Corpora whose folds follow from a manifest."""


def _from_lists(corpus: str, manifest: Manifest, checkout: Path) -> pd.DataFrame:
    """The folds that the lists of a checkout say."""
    root = checkout / "data" / FOLDERS[corpus]
    folders = sorted(root.glob("fold_*"), key=lambda folder: (len(folder.name), folder.name))
    if not folders:
        raise ProtocolError(
            f"folds {NAME}: {root} holds no folder fold_1; name a checkout of github.com/emo-box/EmoBox"
        )
    own = _by_key(manifest)
    rows: list[tuple[str, str, str]] = []
    for folder in folders:
        number = folder.name.removeprefix("fold_")
        for part in ("test",) if len(folders) > 1 else ("train", "test"):
            rows += [(own[key], number, part) for key in _read_list(folder, number, part) if key in own]
    table = pd.DataFrame(rows, columns=["file", "fold", "split"])
    lost = sorted(set(manifest.names) - set(table["file"]))
    if lost:
        raise ProtocolError(
            f"folds {NAME}: {len(lost)} of {len(set(manifest.names))} recordings are in no list of {root}: "
            f"{enumerate_some(lost)}; leave their emotions out by --emotions, or use a protocol of this project"
        )
    return table[["file", "fold"]] if len(folders) > 1 else _with_validation(table, manifest)


def _read_list(folder: Path, number: str, part: str) -> Iterator[str]:
    """Keys of the recordings of a part; files of earlier versions leave out the line before the number."""
    names = [f"{folder.parent.name}_{part}_fold{line}{number}.jsonl" for line in ("_", "")]
    path = next((folder / name for name in names if (folder / name).is_file()), None)
    if path is None:
        raise ProtocolError(f"folds {NAME}: {folder} lacks {names[0]}; check the checkout out anew")
    try:
        lines = read_text(path, _LARGEST_LIST).splitlines()
        yield from (_key(Path(json.loads(line)["wav"])) for line in lines if line.strip())
    except (OSError, UnreadableError, ValueError, KeyError, TypeError) as error:
        raise ProtocolError(f"folds {NAME}: {path} is no list of recordings ({error}); check it out anew") from None


def _by_key(manifest: Manifest) -> dict[str, str]:
    """Key of each recording -> its name in the manifest."""
    return {_key(Path(file)): name for file, name in zip(manifest.table["file"], manifest.names, strict=True)}


def _key(path: Path) -> str:
    """What a recording is known by, wherever it lies: its name, of SAVEE's short ones (DC/a01) the speaker's before."""
    return path.stem if len(path.stem) > len("sa01") else f"{path.parent.name}_{path.stem}"


def _with_validation(table: pd.DataFrame, manifest: Manifest) -> pd.DataFrame:
    """A single fold whose every fifth training recording of an emotion validates."""
    emotions = dict(zip(manifest.names, manifest.table["emotion"], strict=True))
    table = table.sort_values("file", ignore_index=True)
    train = table[table["split"] == "train"]
    place = train.groupby(train["file"].map(emotions)).cumcount()
    table.loc[place.index[place % VALIDATING == VALIDATING - 1], "split"] = "validation"
    return table


def refuse_shared_speakers(corpus: str) -> None:
    """Refuse folds that divide recordings instead of speakers.

    Raises:
        ProtocolError: EmoBox's folds of the corpus do.
    """
    if corpus in SHARED:
        raise ProtocolError(
            f"folds {NAME}: EmoBox's folds of {corpus} divide the recordings, so that every speaker is learnt from and "
            f"tested: figures on them are speaker-dependent, and higher than those on unknown ones. Take a protocol "
            f"of speakers, such as loso or kfold:K, or add --allow-overlap, here and where networks are trained, which "
            f"marks the figures"
        )


def parse_choice(text: str) -> Path | None:
    """What `--folds` names: `emobox`, or `emobox:` and the folder of a checkout.

    Raises:
        ConfigError: something else.
    """
    name, colon, folder = text.partition(":")
    if name != NAME or (colon and not folder):
        raise ConfigError(f"folds: {text!r} is unknown; known: {NAME}, {NAME}:FOLDER of a checkout")
    return Path(folder).expanduser() if colon else None
