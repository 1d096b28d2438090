"""What a search hands back, whatever its family."""

from dataclasses import dataclass

from nni_emodarts.runtime.plain_data import JsonObject


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        choices: a choice for every label.
        val_uar: validation UAR behind the choices.
        figures: further figures of the run.
    """

    choices: JsonObject
    val_uar: float
    figures: JsonObject
