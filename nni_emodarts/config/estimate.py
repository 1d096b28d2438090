"""How the figure of a candidate is made that is trained by itself."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nni_emodarts.config.sections import PositiveInt, Section


class EstimateConfig(Section):
    """The trainings behind a candidate's figure, and what is made of them; the same ones for all candidates."""

    folds: Annotated[int, Field(ge=1, le=100)] = 3
    """Splits of the fold's training speakers, of which each validates in one; 1 is the fold's own validation part."""
    seeds: Annotated[PositiveInt, Field(le=100)] = 1
    """Trainings on each split."""
    figure: Literal["uar", "loss"] = "uar"
    """Validation UAR, or validation loss at the one temperature that suits a candidate best. Loss as it comes ranks
    heads backwards, since large ones are overconfident."""
    halving: bool = False
    """Whether only the better half goes from each training to the next."""

    @property
    def replicates(self) -> int:
        """Trainings of a candidate, at most."""
        return self.folds * self.seeds

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.halving and self.replicates == 1:
            raise ValueError("halving: of one training nothing can be halved; raise folds or seeds, or leave it out")
        return self
