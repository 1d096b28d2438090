"""What a search hands back, whatever its family."""

from dataclasses import dataclass

from nni_emodarts.runtime.plain_data import JsonObject


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        choices: a choice for every label.
        score: the validation figure behind the choices: UAR, CCC or their mean.
        figures: further figures of the run.
    """

    choices: JsonObject
    score: float
    figures: JsonObject
