"""Logits as text, and their temperature."""

import numpy as np
import pytest
from scipy.special import softmax

from nni_emodarts.metrics.logits import (
    HOTTEST,
    decode_logits,
    decode_rows,
    encode_logits,
    encode_rows,
    fit_temperature,
    log_loss,
)


def test_texts_hold_numbers() -> None:
    probabilities = np.random.default_rng(1).dirichlet(np.ones(5), 7).astype(np.float32)
    assert np.allclose(decode_logits(encode_logits(probabilities)), np.log(probabilities), rtol=2e-3)
    assert np.isfinite(decode_logits(encode_logits(np.eye(3, dtype=np.float32)))).all(), "a sure answer, too"
    rows = np.array([0, 3, 70_000])
    assert decode_rows(encode_rows(rows)).tolist() == rows.tolist()
    with pytest.raises(ValueError, match="no base64"):
        decode_rows("!")


def test_the_temperature_that_made_the_answers_overconfident_is_found() -> None:
    """Labels are drawn from the calibrated answers; the logits given are three times as large."""
    rng = np.random.default_rng(0)
    calibrated = rng.normal(0, 2, (20_000, 4)).astype(np.float32)
    true = np.array([rng.choice(4, p=row) for row in softmax(calibrated.astype(float), 1)])
    for factor in (0.5, 1.0, 3.0):
        assert fit_temperature(calibrated * factor, true) == pytest.approx(factor, rel=0.05)
    assert log_loss(calibrated * 3, true, 3.0) == pytest.approx(log_loss(calibrated, true), abs=1e-6)
    assert log_loss(calibrated * 3, true) > log_loss(calibrated, true) + 0.1


def test_answers_that_are_all_right_have_a_temperature_too() -> None:
    logits, true = np.eye(3, dtype=np.float32), np.arange(3)
    assert log_loss(logits, true, fit_temperature(logits, true)) == pytest.approx(0, abs=1e-9)
    assert fit_temperature(logits, np.array([1, 2, 0])) == pytest.approx(HOTTEST, rel=0.01)
