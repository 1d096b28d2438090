"""What networks minimise that learn dimensions."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nni_emodarts.config.sections import NonNegativeFloat, Section


class ObjectiveConfig(Section):
    """What networks minimise that learn dimensions, in search and retraining alike."""

    dimension_loss: Literal["ccc", "mse", "mae"] = "ccc"
    """1 - CCC, mean over the dimensions; or the mean squared or absolute error, in halves of the scale."""
    ccc_utterances: Annotated[int, Field(ge=2, le=100_000)] = 128
    """Utterances that CCC is estimated over: those of a batch, and the latest answers to others before it, which take
    no gradient. Of few utterances CCC is estimated too low, and the less they differ the more."""
    emotion_weight: NonNegativeFloat = 1.0
    """Weight of the classes' loss where both are learnt."""
    dimension_weight: NonNegativeFloat = 1.0
    """Weight of the dimensions' loss where both are learnt."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.emotion_weight + self.dimension_weight:
            raise ValueError("emotion_weight: both weights are 0, so that nothing is learnt; raise one")
        return self
