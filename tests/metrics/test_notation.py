"""How figures are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nni_emodarts.metrics.notation import (
    count_text,
    figure_text,
    interval_text,
    millions_text,
    p_text,
    share_text,
    signed_text,
    whole_text,
)

SHARES = st.floats(0, 1)


@given(SHARES, SHARES)
def test_a_figure_and_its_deviation_are_read_back_to_three_decimals(value: float, spread: float) -> None:
    shown = [float(text) for text in figure_text(value, spread).split(" ± ")]
    assert shown == pytest.approx([value, spread], abs=5.1e-4)
    assert figure_text(value) == figure_text(value, spread).split(" ± ")[0]


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_differences_have_a_sign(low: float, high: float) -> None:
    assert interval_text([low, high], signed=True) == f"{signed_text(low)} to {signed_text(high)}"
    assert signed_text(low)[0] in "+-"
    assert [float(text) for text in interval_text((low, high)).split(" to ")] == pytest.approx([low, high], abs=5.1e-4)


@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_what_is_not_known_is_a_mark(unknown: float | None) -> None:
    assert figure_text(unknown) == share_text(unknown) == millions_text(None) == "-"
    assert figure_text(unknown, 0.1, missing="") == share_text(unknown, missing="") == millions_text(None, "") == ""


@given(st.floats(0, 1))
def test_a_p_value_is_never_written_as_nought(p: float) -> None:
    assert p_text(p) != "0.0000"
    assert p_text(p).startswith("<") == (p < 0.0001)


def test_large_numbers_and_shares() -> None:
    assert whole_text(1234567.4) == "1,234,567"
    assert millions_text(1_234_560_000) == "1,234.6"
    assert (share_text(0.256), share_text(0.256, 1)) == ("26%", "25.6%")
    assert [count_text(number, "fold") for number in (0, 1, 2)] == ["0 folds", "1 fold", "2 folds"]
