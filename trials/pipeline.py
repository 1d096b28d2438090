"""A trial that searches an architecture inside one fold, then retrains and scores it on that fold."""

from nni_emodarts.trials import arguments
from nni_emodarts.trials.showing import show_architecture, show_decision, test_columns

from nni_emodarts.metrics.headline import headline_of
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.runtime.run_folder import ALPHAS, SEARCH


def main() -> None:
    """Search and retrain one fold, and report its validation figure, with test figures and choices beside it."""
    arguments.run(main.__doc__ or "", work)


def work(trial: arguments.TrialTask) -> None:
    """One fold and seed. A trial that NNI runs again does not repeat a finished search."""
    from nni_emodarts.data.corpus import load_corpus
    from nni_emodarts.data.fold_task import FoldTask
    from nni_emodarts.search.run import search
    from nni_emodarts.training.retrain import retrain_fold

    config, progress, report = trial.config, arguments.show_progress, nni_trial.report_intermediate
    corpus = load_corpus(config, progress=progress)
    task = FoldTask.of(config, corpus, trial.fold, trial.seed)
    searched = trial.folder.child(SEARCH)
    architecture = search(task, searched, progress, report)
    show_decision(searched)
    choices = show_architecture(trial.folder, architecture)  # it can be looked at while it is retrained
    if searched.has(ALPHAS):
        trial.folder.write_bytes(ALPHAS, (searched.path / ALPHAS).read_bytes())
    metrics = retrain_fold(task, architecture, trial.folder, progress=progress, report=report)
    nni_trial.report_final(metrics[headline_of(metrics).val], {**test_columns(metrics), **choices})


if __name__ == "__main__":
    main()
