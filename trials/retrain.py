"""A trial that retrains an architecture on one fold: an exported one, or one that the tuner of this trial chose."""

from nni_emodarts.trials import arguments
from nni_emodarts.trials.showing import show_architecture, test_columns

from nni_emodarts.errors import ConfigError
from nni_emodarts.metrics.headline import headline_of
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.nni_bridge import trial as nni_trial


def main() -> None:
    """Retrain, and report the validation figure, with the test figures beside it."""
    arguments.run(main.__doc__ or "", work)


def work(trial: arguments.TrialTask) -> None:
    """One retraining. Where a tuner chose the architecture by this figure, no test part is read."""
    from nni_emodarts.data.corpus import load_corpus
    from nni_emodarts.data.fold_task import FoldTask
    from nni_emodarts.data.overlap import refuse_overlap
    from nni_emodarts.training.retrain import retrain_fold, settle_space

    progress = arguments.show_progress
    config = trial.config
    if trial.choices and trial.arguments.architecture is not None:
        raise ConfigError("--architecture is given, and the tuner chooses one too; give one of both")
    if not trial.choices:
        if trial.arguments.architecture is None:
            raise ConfigError("--architecture is missing, and this trial's parameters hold no architecture")
        architecture = Architecture.load(trial.arguments.architecture)
        config = settle_space(
            config, architecture, explicit=(trial.arguments.preset or trial.arguments.config) is not None
        )
    corpus = load_corpus(config, progress=progress, heard=() if trial.choices else architecture.heard)
    task = FoldTask.of(config, corpus, trial.fold, trial.seed)
    if trial.choices:
        # A tuner chooses by validation speakers, and its networks learn from training speakers, as in a search.
        origin = task.origin(strategy="tuner", options={})
        architecture = Architecture.from_choices(config.space, trial.choices, corpus.num_outputs, corpus.shapes, origin)
    overlap = task.overlap(architecture.origin)
    if not trial.arguments.allow_overlap:
        refuse_overlap({task.fold.index: overlap})
    choices = show_architecture(trial.folder, architecture)  # it can be looked at while it is retrained
    metrics = retrain_fold(
        task, architecture, trial.folder,
        read_test=not trial.choices, overlap=overlap, progress=progress, report=nni_trial.report_intermediate,
    )  # fmt: skip
    # What a tuner chose has columns already.
    nni_trial.report_final(
        metrics[headline_of(metrics).val], {**test_columns(metrics), **({} if trial.choices else choices)}
    )


if __name__ == "__main__":
    main()
