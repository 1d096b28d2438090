"""A trial that searches an architecture on one fold's training speakers."""

from nni_emodarts.trials import arguments
from nni_emodarts.trials.showing import show_architecture, show_decision

from nni_emodarts.metrics.headline import headline_of
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.runtime.run_folder import METRICS


def main() -> None:
    """Search, and report the supernet's validation figure."""
    arguments.run(main.__doc__ or "", work)


def work(trial: arguments.TrialTask) -> None:
    """One search."""
    from nni_emodarts.data.corpus import load_corpus
    from nni_emodarts.data.fold_task import FoldTask
    from nni_emodarts.search.run import search

    config, progress = trial.config, arguments.show_progress
    corpus = load_corpus(config, progress=progress)
    task = FoldTask.of(config, corpus, trial.fold, trial.seed)
    report = nni_trial.report_intermediate
    architecture = search(task, trial.folder, progress, report)
    show_decision(trial.folder)
    choices = show_architecture(trial.folder, architecture)
    metrics = trial.folder.read_json(METRICS)
    nni_trial.report_final(metrics[headline_of(metrics).val], choices)


if __name__ == "__main__":
    main()
