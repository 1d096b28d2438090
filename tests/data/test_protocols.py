import itertools
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_manifests import build, who

from nni_emodarts.data.halves import halves
from nni_emodarts.data.manifest import COLUMNS, Manifest, read_manifest
from nni_emodarts.data.protocols import Fold, count_folds, make_fold, make_folds
from nni_emodarts.errors import ProtocolError

DATA = Path(os.environ.get("EMODARTS_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
PARTS = ("train", "validation", "test")


@st.composite
def wild(draw: st.DrawFn) -> Manifest:
    """Any manifest: few or many speakers, some unknown, genders and sessions given or not, contradictions too."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    names = [f"s{number}" for number in range(draw(st.integers(0, 12)))]
    strange = draw(st.sampled_from([0.0, 0.2, 0.8])) if names else 1.0
    unsteady = draw(st.sampled_from([0.0, 0.1]))  # chance that an utterance contradicts its speaker's others
    segmented = draw(st.sampled_from([0.0, 0.5]))  # chance that an utterance without a speaker is a segment of a file
    genders = draw(st.sampled_from([[""], ["male", "female"], ["male", "female", ""]]))
    sessions = draw(st.sampled_from([[""], ["1", "2", "3"], ["1", "2", "3", "4", "5", "6", ""]]))
    columns = {"gender": genders, "session": sessions, "split": ["train", "Dev", "test2"]}
    traits = {name: {column: rng.choice(values) for column, values in columns.items()} for name in names}
    rows = []
    for _ in range(draw(st.integers(4, 60))):
        name = "" if rng.random() < strange else str(rng.choice(names))
        row = {column: rng.choice(values) for column, values in columns.items()}
        if name and rng.random() >= unsteady:
            row = dict(traits[name])
        if not name and rng.random() < segmented:
            row["file"] = f"/long{rng.integers(3)}.wav"
        rows.append({**row, "speaker": name, "emotion": rng.choice(["anger", "joy"])})
    return build(rows)


@st.composite
def rich(draw: st.DrawFn, sessions: bool = False) -> Manifest:
    """A manifest that gives every fold: each known speaker has each emotion, at most two speakers share a session."""
    count = draw(st.integers(8, 13))
    names = draw(st.permutations([f"s{number:02d}" for number in range(count)]))
    gendered = draw(st.booleans())
    rows = [
        {
            "speaker": name,
            "emotion": emotion,
            "gender": ("female", "male")[number % 2] if gendered else "",
            "session": f"S{number // 2:02d}" if sessions else "",
        }
        for number, name in enumerate(names)
        for emotion in ("anger", "joy", "sadness")
    ]
    unnamed = {"speaker": "", "emotion": "joy", "gender": "male", "session": "S00" if sessions else ""}
    return build(draw(st.permutations(rows + [unnamed] * draw(st.integers(0, 6)))))


def folds_that_exist(manifest: Manifest, protocol: str) -> list[Fold]:
    """The folds of a protocol that are not refused."""
    folds = []
    try:
        count = count_folds(manifest, protocol)
    except ProtocolError:
        return []
    for index in range(count):
        try:
            folds.append(make_fold(manifest, protocol, index))
        except ProtocolError as error:
            assert f"fold {index}" in str(error)  # noqa: PT017
    return folds


@settings(deadline=None)
@given(wild(), st.sampled_from(["loso", "session", "kfold:2", "kfold:3", "official"]))
def test_no_two_parts_share_a_speaker(manifest, protocol):
    for fold in folds_that_exist(manifest, protocol):
        rows = [getattr(fold, part) for part in PARTS]
        assert all(part.dtype == np.int64 and (np.diff(part) > 0).all() and part.size for part in rows)
        assert sorted(np.concatenate(rows)) == list(range(len(manifest)))
        speakers = [set(who(manifest, part)) for part in rows]
        assert not any(one & other for one, other in itertools.combinations(speakers, 2))
        assert set(manifest.labels[fold.train]) == set(manifest.labels)


@settings(deadline=None)
@given(wild(), st.sampled_from(["loso", "session", "kfold:2", "kfold:3"]))
def test_session_partners_validate_or_else_two_speakers(manifest, protocol):
    speakers, sessions = who(manifest), list(manifest.table["session"])
    for fold in folds_that_exist(manifest, protocol):
        tested = set(who(manifest, fold.test))
        theirs = {sessions[row] for row in fold.test} - {""}
        partners = {speakers[row] for row, session in enumerate(sessions) if session in theirs} - tested
        validating = set(who(manifest, fold.validation))
        assert validating == partners if partners else len(validating) >= 2


@settings(deadline=None)
@given(rich(), st.sampled_from(["loso", "kfold:2", "kfold:4"]))
def test_validation_is_a_sixth_of_the_rest_with_both_genders(manifest, protocol):
    genders = {
        name: gender for name, gender in zip(who(manifest), manifest.table["gender"], strict=True) if "~" not in name
    }
    for fold in make_folds(manifest, protocol):
        validating = [genders[name] for name in set(who(manifest, fold.validation)) if name in genders]
        remaining = set(genders) - set(who(manifest, fold.test))
        assert len(validating) == 2  # a sixth of at most 13
        assert len(remaining) > 2
        left = {genders[name] for name in remaining}
        if len(left) == 2:
            assert set(validating) == {"male", "female"}


@settings(deadline=None)
@given(rich(), st.sampled_from(["loso", "kfold:2", "kfold:4"]))
def test_every_row_is_tested_exactly_once(manifest, protocol):
    folds = make_folds(manifest, protocol)
    assert [(fold.index, fold.count) for fold in folds] == [(index, len(folds)) for index in range(len(folds))]
    assert count_folds(manifest, protocol) == len(folds)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(manifest)))


@settings(deadline=None)
@given(rich())
def test_fold_i_follows_the_sorted_names(manifest):
    # The definitions of the protocols; unknown speakers are sorted after the known speakers.
    speakers = sorted(set(who(manifest)))
    for index, fold in enumerate(make_folds(manifest, "loso")):
        assert set(who(manifest, fold.test)) == {speakers[index]}
    known = {
        name: gender for name, gender in zip(who(manifest), manifest.table["gender"], strict=True) if "~" not in name
    }
    unnamed = [name for name in speakers if "~" in name]
    for index, fold in enumerate(make_folds(manifest, "kfold:3")):
        if all(known.values()):
            groups = [[name for name in speakers if known.get(name) == gender] for gender in ("male", "female")]
            expected = groups[0][index::3] + groups[1][index::3] + unnamed[index::3]
        else:
            expected = speakers[index::3]
        assert set(who(manifest, fold.test)) == set(expected)


@settings(deadline=None)
@given(rich(sessions=True))
def test_a_session_is_left_out_and_the_partner_validates(manifest):
    table = manifest.table.assign(who=who(manifest))
    folds = make_folds(manifest, "session")
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(manifest)))
    expected = sorted({(session, name) for session, name in zip(table["session"], table["who"], strict=True)})
    tested = []
    for fold in folds:
        (name,) = set(who(manifest, fold.test))
        (session,) = set(table["session"].iloc[fold.test])
        tested.append((session, name))
        if (table["session"] == session).sum() > len(fold.test):
            assert set(table["session"].iloc[fold.validation]) == {session}
        assert session not in set(table["session"].iloc[fold.train])
    assert tested == expected


def test_both_sessions_of_a_speaker_leave_the_training():
    pairs = [("1", "a"), ("1", "b"), ("2", "a"), ("2", "c"), ("3", "c"), ("3", "d"), ("4", "e"), ("4", "f")]
    manifest = build([{"session": s, "speaker": p, "emotion": e} for s, p in pairs for e in ("joy", "anger")])
    fold = make_fold(manifest, "session", 0)
    # c is a partner from session 2, so that c's utterances of session 3 are no training material either.
    assert set(who(manifest, fold.test)) == {"a"}
    assert set(who(manifest, fold.validation)) == {"b", "c"}
    assert set(who(manifest, fold.train)) == {"d", "e", "f"}


def test_every_speaker_of_a_corpus_sorted_by_gender_validates():
    names = [f"{gender}{number}" for gender in "FM" for number in range(6)]
    genders = {"F": "female", "M": "male"}
    manifest = build(
        [{"speaker": name, "gender": genders[name[0]], "emotion": e} for name in names for e in ("joy", "anger")]
    )
    folds = make_folds(manifest, "kfold:6")
    assert [sorted(set(who(manifest, fold.validation))) for fold in folds] == [
        [f"F{(index + 1) % 6}", f"M{(index + 1) % 6}"] for index in range(6)
    ]


def test_unknown_speakers_neither_crowd_out_nor_disable_the_genders_of_the_known():
    rows = [
        {"speaker": f"s{number}", "gender": ("male", "female")[number % 2], "emotion": e}
        for number in range(8)
        for e in ("joy", "anger")
    ]
    manifest = build(rows + [{"emotion": "joy"}] * 600)
    for fold in make_folds(manifest, "kfold:4"):
        assert len({name for name in who(manifest, fold.validation) if "~" not in name}) == 2
        assert len({name for name in who(manifest, fold.train) if "~" not in name}) == 4
        assert len(fold.test) == 2 * 2 + 150
        assert len(fold.validation) == 2 * 2 + 75


def test_a_speaker_of_two_genders_is_of_unknown_gender():
    genders = ["male", "female", "male", "female", "female", "male"]
    rows = [{"speaker": f"s{n}", "gender": g, "emotion": e} for n, g in enumerate(genders) for e in ("joy", "anger")]
    clear, unclear = build(rows), build([*rows, {"speaker": "s5", "gender": "female", "emotion": "joy"}])
    assert set(who(clear, make_fold(clear, "kfold:3", 0).test)) == {"s0", "s1"}
    assert set(who(unclear, make_fold(unclear, "kfold:3", 0).test)) == {"s0", "s3"}


def test_official_takes_the_corpus_at_its_word():
    splits = ["Train", "training", "val", "DEV", "development", "valid", "validation", "test", "Test1", "test_2"]
    rows = [{"speaker": split, "split": split, "emotion": e} for split in splits for e in ("joy", "anger")]
    manifest = build(rows + [{"split": split, "emotion": "joy"} for split in splits])
    (fold,) = make_folds(manifest, "official")
    assert [set(manifest.table["split"].iloc[getattr(fold, part)]) for part in PARTS] == [
        {"Train", "training"},
        {"val", "DEV", "development", "valid", "validation"},
        {"test", "Test1", "test_2"},
    ]


def corpus(speakers: int, **columns: str) -> Manifest:
    return build([{"speaker": f"s{n}", "emotion": e, **columns} for n in range(speakers) for e in ("joy", "anger")])


def split_corpus() -> Manifest:
    placed = [("a", "train"), ("b", "train"), ("b", "dev"), ("", "dev"), ("", "train"), ("c", "holdout"), ("d", "")]
    return build([{"speaker": name, "split": split, "emotion": e} for name, split in placed for e in ("joy", "anger")])


@pytest.mark.parametrize(
    ("manifest", "protocol", "index", "expected"),
    [
        (corpus(8), "lozo", 0, ["'lozo' is unknown; did you mean loso or loco?", "kfold:K, loco, loso, official"]),
        (corpus(8), "loso:2", 0, ["protocol 'loso:2' is unknown"]),
        (corpus(8), "kfold", 0, ["K must be a whole number of at least 2, for example kfold:5"]),
        (corpus(8), "kfold:1", 0, ["'kfold:1': K must be a whole number of at least 2"]),
        (corpus(8), "kfold:-3", 0, ["'kfold:-3': K must be a whole number of at least 2"]),
        (corpus(8), "kfold:2.5", 0, ["'kfold:2.5': K must be a whole number"]),
        (corpus(8), "kfold:9", 0, ["K must be at most 8 for the manifest's 8 speakers"]),
        (corpus(8, gender="male"), "kfold:9", 0, ["at most 8", "(8 male, 0 female)"]),
        (corpus(8), "loso", 8, ["fold 8 is out of range; folds of loso are 0 to 7"]),
        (corpus(8), "kfold:4", -1, ["fold -1 is out of range; folds of kfold:4 are 0 to 3"]),
        (corpus(3), "loso", 0, ["at least 4 speakers", "has 3"]),
        (corpus(3), "kfold:2", 0, ["fold 0 of kfold:2 (train 0, validation 2, test 4 utterances)", "add speakers"]),
        (corpus(8), "session", 0, ["16 of 16 utterances have no session"]),
        (
            corpus(8, session="1"),
            "loso",
            2,
            ["fold 2 of loso", "none is left to train on", "leave out the column session"],
        ),
        (
            split_corpus(),
            "official",
            0,
            ["split of 4 utterances is '', 'holdout'", "no utterance is in test", "more than one part: b;"],
        ),
    ],
)
def test_what_a_manifest_cannot_give_is_refused(manifest, protocol, index, expected):
    with pytest.raises(ProtocolError) as error:
        make_fold(manifest, protocol, index)
    assert all(text in str(error.value) for text in expected), str(error.value)


def test_a_class_that_training_would_lose_is_named():
    rows = [{"speaker": f"s{n}", "emotion": e} for n in range(6) for e in ("joy", "anger")]
    manifest = build([*rows, {"speaker": "s3", "emotion": "awe"}])
    with pytest.raises(ProtocolError, match=r"fold 3 of loso .*no training utterance of class awe"):
        make_fold(manifest, "loso", 3)
    assert make_fold(manifest, "loso", 5).train.size


def test_a_hundred_thousand_lines_of_two_thousand_speakers():
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 2000, 100_000)
    table = pd.DataFrame(dict.fromkeys(COLUMNS, ""), index=range(len(numbers)))
    table["speaker"] = [f"s{number}" for number in numbers]
    table["gender"] = np.where(numbers % 2, "male", "female")
    table["session"] = [str(number // 2) for number in numbers]
    table["emotion"] = rng.choice(["joy", "anger", "awe"], len(numbers))
    manifest = Manifest(table, ("anger", "awe", "joy"), "digest")
    for protocol in ("loso", "session", "kfold:10"):
        fold = make_fold(manifest, protocol, 7)
    weights, alphas = halves(manifest, fold.train, 1)
    assert not set(numbers[weights]) & set(numbers[alphas])


def read_corpus(name: str) -> Manifest:
    path = DATA / name / "manifest.csv"
    if not path.exists():
        pytest.skip(f"{path} is absent; set EMODARTS_DATA")
    return read_manifest(path)


def test_ravdess_has_the_folds_of_its_published_figures():
    manifest = read_corpus("ravdess")
    # Actors 01 to 24, odd numbers are male; fold i = sorted male speakers [i::6] + sorted female speakers [i::6].
    men, women = ([f"{number:02d}" for number in range(first, 25, 2)] for first in (1, 2))
    for index, fold in enumerate(make_folds(manifest, "kfold:6")):
        assert set(who(manifest, fold.test)) == set(men[index::6] + women[index::6])
        # 20 speakers are left; a sixth, in pairs of genders, is 4.
        assert len(set(who(manifest, fold.validation))) == 4
        weights, alphas = halves(manifest, fold.train, 1)
        assert len(weights) == len(alphas)
        assert not set(who(manifest, weights)) & set(who(manifest, alphas))


def test_emodb4_leaves_one_of_ten_speakers_out():
    manifest = read_corpus("emodb4")
    folds = make_folds(manifest, "loso")
    speakers = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
    assert [set(who(manifest, fold.test)) for fold in folds] == [{name} for name in speakers]
    for fold in folds:
        assert set(manifest.table["gender"].iloc[fold.validation]) == {"male", "female"}


@pytest.mark.parametrize("names", [("01", "1"), ("Anna", "anna"), ("spk_1", "spk 1")])
@pytest.mark.parametrize("protocol", ["loso", "session", "kfold:2", "official"])
def test_a_speaker_under_two_names_is_not_on_both_sides(names: tuple[str, str], protocol: str) -> None:
    others = [f"other{letter}" for letter in "bcdef"]
    splits = {**dict.fromkeys(others, "train"), names[0]: "train", names[1]: "test", others[0]: "validation"}

    def rows(**traits: dict[str, str]) -> list[dict[str, str]]:
        return [
            {"speaker": name, "emotion": emotion, "session": name, "split": splits[name], **traits.get(name, {})}
            for name in (*names, *others)
            for emotion in ("anger", "joy")
        ]

    with pytest.raises(ProtocolError) as caught:
        make_folds(build(rows()), protocol)
    for name in names:
        assert repr(name) in str(caught.value)
    assert "look like one person, and would be in" in str(caught.value)
    two = build(rows(**{names[0]: {"gender": "male"}, names[1]: {"gender": "female"}}))
    assert make_folds(two, protocol), "a man and a woman are two"


def test_a_speaker_under_two_names_on_one_side_does_no_harm() -> None:
    split = {"01": "train", "1": "train", "b": "validation", "c": "test"}
    rows = [
        {"speaker": name, "emotion": emotion, "split": part}
        for name, part in split.items()
        for emotion in ("anger", "joy")
    ]
    assert make_fold(build(rows), "official", 0)


def test_a_k_of_thousands_of_digits_is_no_number() -> None:
    with pytest.raises(ProtocolError, match="K must be a whole number"):
        count_folds(build([{"speaker": "a", "emotion": "joy"}]), "kfold:" + "9" * 5000)
