"""A trial that trains one candidate of a search by trials, as its parameters name it by label."""

from nni_emodarts.trials import arguments
from nni_emodarts.trials.showing import show_architecture

from nni_emodarts.errors import ConfigError
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.nni_bridge.candidates import REPLICATES_LABEL
from nni_emodarts.runtime.run_folder import ARCHITECTURE, METRICS, RunFolder


def main() -> None:
    """Train a candidate, and report what it is chosen by."""
    arguments.run(main.__doc__ or "", work)


def work(trial: arguments.TrialTask) -> None:
    """One candidate. Its figures go to the search's folder, so that a search that goes on does not train it again."""
    from nni_emodarts.data.corpus import load_corpus
    from nni_emodarts.data.fold_task import FoldTask
    from nni_emodarts.search.multi_trial.estimating import measures

    if trial.arguments.candidates is None:
        raise ConfigError("--candidates is missing; emodarts search starts this script")
    config = trial.config
    corpus = load_corpus(config, progress=arguments.show_progress)
    choices = dict(trial.choices)
    replicates = choices.pop(REPLICATES_LABEL, None)
    chosen = Architecture.from_choices(config.space, choices, corpus.num_outputs, corpus.input_shape)
    folder = RunFolder(trial.arguments.candidates).child(chosen.id)
    architecture = Architecture.load(folder.path / ARCHITECTURE)  # with its origin, which the parameters lack
    task = FoldTask.of(config, corpus, trial.fold, trial.seed)
    found = measures(task).measure(architecture, folder, replicates, nni_trial.report_intermediate)
    if nni_trial.in_trial():
        own = RunFolder(nni_trial.output_folder())
        show_architecture(own, architecture)
    nni_trial.report_final(found.score, {"parameters": folder.read_json(METRICS)["parameters"]})


if __name__ == "__main__":
    main()
