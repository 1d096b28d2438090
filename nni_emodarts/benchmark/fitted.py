"""What is left of something that is fitted without a network: the files of its run."""

import pandas as pd

from nni_emodarts.config import ExperimentConfig
from nni_emodarts.runtime.digests import digests_of
from nni_emodarts.runtime.environment import Stopwatch, describe_environment
from nni_emodarts.runtime.plain_data import JsonMapping
from nni_emodarts.runtime.run_folder import CONFIG, ENVIRONMENT, METRICS, PREDICTIONS, UNDECIDED, RunFolder
from nni_emodarts.training.retrain import note_answers


def note_fitted(
    folder: RunFolder,
    config: ExperimentConfig,
    answers: tuple[pd.DataFrame, pd.DataFrame | None],
    metrics: JsonMapping,
    watch: Stopwatch,
) -> None:
    """Write the files of a run; its metrics come last, since they say that it is finished.

    Args:
        folder: the run's.
        config: the whole configuration.
        answers: to the test part, and to its utterances on which annotators did not agree.
        metrics: the figures, without digests and seconds.
        watch: started where the work began.
    """
    folder.write_text(CONFIG, config.to_yaml())
    note_answers(folder, *answers)
    folder.write_json(ENVIRONMENT, describe_environment("cpu", 1))
    folder.write_json(METRICS, {**metrics, **digests_of(folder, [PREDICTIONS, UNDECIDED]), **watch.read()})
