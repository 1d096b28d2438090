"""What looks the same is one; what is most likely the same is named; what may differ stays different."""

import unicodedata

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.data.spelling import likeness, look, match, nearly_alike, unify


@given(st.text(max_size=20))
def test_forms_of_one_text_look_alike(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert look(unicodedata.normalize(form, text)) == look(text)
    assert look(f" {text}\u00a0\u200b") == look(text)
    assert look(look(text)) == look(text)
    assert likeness(look(text)) == likeness(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [("Anger", "anger"), ("01", "1"), ("1.0", "1"), ("spk_01", "SPK-1"), ("s 1", "s_1"), ("ﬁne", "fine"), ("0", "00"),
     ("Straße", "STRASSE"), ('"a"', "a"), ("①", "1")],
)  # fmt: skip
def test_what_is_most_likely_one(one: str, other: str) -> None:
    assert look(one) != look(other)
    assert nearly_alike([one, other, "something else", ""]) == [tuple(sorted((one, other)))]


@pytest.mark.parametrize(
    ("one", "other"),
    [("anger", "angry"), ("1", "11"), ("10", "1"), ("a", "ä"), ("s1", "s_1"), ("-1", "1")],
)
def test_what_may_well_differ(one: str, other: str) -> None:
    assert nearly_alike([one, other]) == []


def test_several_spellings_of_one_look_become_one() -> None:
    nfc, nfd = "wütend", unicodedata.normalize("NFD", "wütend")
    labels = pd.Series([nfc, nfd, "Wütend", nfd, "very  happy", "very\u00a0happy"])
    unified, listed = unify(labels)
    assert unified.tolist() == [nfc, nfc, "Wütend", nfc, "very happy", "very happy"]
    assert [text.partition(" in ")[0] for text in listed] == ["'very happy'", "'wütend'"]
    assert "w\\xfctend" in listed[1]
    assert "wu\\u0308tend" in listed[1]


def test_one_spelling_stays_as_it_is() -> None:
    labels = pd.Series([unicodedata.normalize("NFD", "wütend"), "a  b"])
    unified, listed = unify(labels)
    assert unified.tolist() == labels.tolist()
    assert listed == []


def test_a_name_is_known_in_another_form() -> None:
    nfc, nfd = "wütend", unicodedata.normalize("NFD", "wütend")
    assert match([nfc, "calm", "x"], [nfd, "calm"]) == {nfc: nfd}
