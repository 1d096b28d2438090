"""How figures are written wherever a person reads them: tables of the terminal, pages, cards and documents."""

from collections.abc import Sequence

LEAST_P = 1e-4
"""p values below it are not distinguished."""


def figure_text(value: float | None, spread: float | None = None, missing: str = "-") -> str:
    """A figure such as a UAR, three decimals, with its standard deviation where there is one.

    Args:
        value: the figure.
        spread: its deviation.
        missing: what stands for None and NaN.
    """
    if value is None or value != value:
        return missing
    return f"{value:.3f}" if spread is None else f"{value:.3f} ± {spread:.3f}"


def signed_text(value: float) -> str:
    """A difference of figures."""
    return f"{value:+.3f}"


def interval_text(bounds: Sequence[float], signed: bool = False) -> str:
    """Lower and upper bound of a figure, or of a difference, which is `signed`."""
    low, high = bounds
    return f"{signed_text(low)} to {signed_text(high)}" if signed else f"{low:.3f} to {high:.3f}"


def p_text(p: float) -> str:
    """A p value."""
    return f"< {LEAST_P:.4f}" if p < LEAST_P else f"{p:.4f}"


def share_text(value: float | None, decimals: int = 0, missing: str = "-") -> str:
    """A share of 1 in per cent; `missing` stands for None and NaN."""
    return missing if value is None or value != value else f"{value:.{decimals}%}"


def whole_text(value: float) -> str:
    """A large number such as CPU seconds or parameters, rounded, its thousands apart."""
    return f"{value:,.0f}"


def millions_text(value: float | None, missing: str = "-") -> str:
    """Millions of something, such as FLOPs; `missing` stands for None."""
    return missing if value is None else f"{value / 1e6:,.1f}"


def count_text(number: int, what: str) -> str:
    """So many of something, in the plural where it is not one."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def duration_text(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60:,}:{minutes % 60:02d}:{rest:02d}"


def bytes_text(number: float) -> str:
    """Bytes in the largest unit of which there is at least one."""
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number / 1e3:.1f} kB"
