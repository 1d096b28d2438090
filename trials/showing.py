"""What a trial shows of its network in NNI's web UI: the choices as columns, the graph, a drawing."""

import logging

from nni_emodarts.metrics.decision import describe_decision, warn_undecided
from nni_emodarts.metrics.headline import BOTH, CCC, UAR
from nni_emodarts.metrics.tracks import Track
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import flat_sample
from nni_emodarts.nni_bridge import trial as nni_trial
from nni_emodarts.runtime.plain_data import JsonMapping
from nni_emodarts.runtime.run_folder import ARCHITECTURE, GRAPH, METRICS, RunFolder

logger = logging.getLogger(__name__)


def test_columns(metrics: JsonMapping) -> dict[str, float | str]:
    """The test figures that become columns of the web UI, and their track, where it is another than from scratch."""
    track = Track.of(metrics)
    of_track = {} if track == Track() else {"track": str(track)}
    rated = (f"{CCC.test}_{name}" for name in metrics.get("dimensions", ()))
    names = (UAR.test, "test_wa", "test_macro_f1", CCC.test, *rated, BOTH.test)
    return {name: metrics[name] for name in names if metrics.get(name) is not None} | of_track


def show_decision(folder: RunFolder) -> None:
    """Log how decided a trial's search is, where its strategy has alphas; one that has not decided is warned of.

    Args:
        folder: the search's.
    """
    metrics = folder.read_json(METRICS)
    if told := describe_decision(metrics):
        _say(told)
    if warning := warn_undecided(metrics):
        logger.warning(warning)


def show_architecture(folder: RunFolder, architecture: Architecture) -> dict[str, str]:
    """Log a trial's choices, and write its network as a graph and as a drawing; one that fails is only logged.

    Args:
        folder: the trial's.
        architecture: its network.

    Returns:
        The choices by label, to become columns of the web UI.
    """
    if not folder.has(ARCHITECTURE):
        folder.write_json(ARCHITECTURE, architecture.to_dict())
    choices = flat_sample(architecture)
    _say(f"architecture {architecture.id}")
    for label, choice in choices.items():
        _say(f"  {label:12} {choice}")
    if nni_trial.in_trial():
        _write_graph(folder, architecture)
    try:
        from nni_emodarts.report.drawings.sheet import write_sheet

        address = nni_trial.show_drawing(write_sheet(folder))
    except Exception:
        logger.exception("the network could not be drawn")
    else:
        if address is not None:
            _say(f"drawing of the network: {address}")
    return choices


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - NNI keeps a trial's stdout


def _write_graph(folder: RunFolder, architecture: Architecture) -> None:
    """Write the graph of a network that is not trained yet, for viewing alone: its weights are random."""
    from nni_emodarts.models.space import build_model
    from nni_emodarts.training.graph import onnx_graph

    if not folder.has(GRAPH):
        folder.write_bytes(GRAPH, onnx_graph(build_model(architecture), architecture.input_shape))
