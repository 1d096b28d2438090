"""What the texts of options mean."""

import pytest

from nni_emodarts.cli.options import fold_numbers, pairs, seed_numbers
from nni_emodarts.data.fold_choice import numbers
from nni_emodarts.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "folds"),
    [
        ("0-", [0, 1, 2, 3, 4]),
        ("2-", [2, 3, 4]),
        ("0,3-", [0, 3, 4]),
        ("3-,0", [0, 3, 4]),
        ("0-2, 4", [0, 1, 2, 4]),
        (" 1 ", [1]),
        ("4-", [4]),
        ("7-", [7]),
    ],
)
def test_folds_by_number(text: str, folds: list[int]) -> None:
    """Among five; what is beyond them is left to be refused by whoever makes them."""
    chosen = fold_numbers(text)
    assert chosen is not None
    assert sorted(numbers(chosen, 5)) == folds


def test_all_folds_have_no_numbers() -> None:
    assert fold_numbers("all") is None


@pytest.mark.parametrize("text", ["", "-", "-3", "1-2-3", "a-", "1--", "1,", "0-99999999999999999999", "3-1", "2,2"])
def test_texts_that_name_no_folds(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^folds: "):
        fold_numbers(text)


@pytest.mark.parametrize("text", ["1-", "0-4000000000", "99999999999999", "1,1", "x"])
def test_texts_that_name_no_seeds(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^seeds: "):
        seed_numbers(text)
    assert seed_numbers("1,5-7") == [1, 5, 6, 7]


def test_what_is_given_twice_is_not_lost() -> None:
    assert pairs("merge", ["a=b", "c=d=e"]) == {"a": "b", "c": "d=e"}
    with pytest.raises(ConfigError, match="merge: 'a' is given twice"):
        pairs("merge", ["a=b", "a=c"])
