"""Figures of classes that may be called anything."""

import warnings

import pytest

from nni_emodarts.report.drawings.canvas import blank_axes, png, style, svg


@pytest.mark.parametrize("name", ["$a_{$", "愤怒", "Wut & Ärger <b>", "\\frac"])
def test_any_name_can_be_drawn(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with style():
            figure, axes = blank_axes(3, 1)
            axes.text(1, 0.5, name)
        assert svg(figure) == svg(figure)
        assert len(png(figure)) > 1000
