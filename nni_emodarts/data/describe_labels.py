"""How many utterances a manifest has of each class and of each speaker."""

import pandas as pd

from nni_emodarts.data.manifest import Manifest

SUM = "(all)"
"""Name of the row of sums."""
UNDECIDED = "(no majority)"
"""Name of the row of utterances on which annotators did not agree."""
NO_EMOTION = "(no emotion)"
"""Name of the row of all utterances of a manifest that has dimensions alone."""


def count_classes(manifest: Manifest) -> pd.DataFrame:
    """Utterances by class and gender, and speakers by class."""
    table = manifest.table.assign(gender=manifest.table["gender"].replace("", "unknown"))
    blank = UNDECIDED if manifest.classes else NO_EMOTION
    table["emotion"] = table["emotion"].replace("", blank)
    classes = [*manifest.classes, *([blank] if (table["emotion"] == blank).any() else [])]
    counts = pd.crosstab(table["emotion"], table["gender"]).reindex(classes, fill_value=0)
    known = table[table["speaker"].str.len() > 0]
    speakers = known.groupby("emotion")["speaker"].nunique().reindex(counts.index, fill_value=0)
    counts = counts.assign(all=counts.sum(axis=1), speakers=speakers)
    counts.loc[SUM] = [*counts.sum().iloc[:-1], known["speaker"].nunique()]
    counts.index.name, counts.columns.name = "class", None
    return counts


def count_speakers(table: pd.DataFrame, seconds: pd.Series) -> pd.DataFrame:
    """Gender, utterances, seconds and classes by speaker."""
    table = table.assign(seconds=seconds.fillna(0.0), speaker=table["speaker"].replace("", "(unknown)"))
    groups = table.groupby("speaker", sort=True)
    return pd.DataFrame(
        {
            "gender": groups["gender"].agg(_genders),
            "utterances": groups.size(),
            "seconds": groups["seconds"].sum(),
            "classes": groups["emotion"].agg(lambda emotions: len(set(emotions) - {""})),
        }
    )


def _genders(genders: pd.Series) -> str:
    return "/".join(sorted(set(genders) - {""})) or "unknown"
