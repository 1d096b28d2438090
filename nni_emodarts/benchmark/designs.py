"""What a cell measures where nothing is searched inside its fold."""

from nni_emodarts.benchmark.functionals import OnFunctionals, design_of
from nni_emodarts.benchmark.methods import RANDOM_SAMPLING, Method
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.data.overlap import refuse_overlap
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.baselines import Baseline
from nni_emodarts.models.baselines.probe import PROBES, ProbeDesign
from nni_emodarts.models.space.draws import draw_architectures


def carried(task: FoldTask, method: Method) -> Architecture:
    """The architecture that was searched elsewhere.

    Raises:
        OverlapError: its search saw test speakers of the fold.
    """
    design = Architecture.load(str(method.architecture))
    refuse_overlap({task.fold.index: task.overlap(design.origin)})
    return design


def hand_designed(task: FoldTask, method: Method) -> Baseline:
    """The network of the method's name, with the dropout of the space's."""
    return Baseline(method.name, task.config.space.dropout)


def on_functionals(task: FoldTask, method: Method) -> OnFunctionals:
    """The support vector machine or the ridge regression of the method's name."""
    return design_of(method.name)


def on_levels(task: FoldTask, method: Method) -> ProbeDesign:
    """The probe of the method's name."""
    return PROBES[method.name]


def sampled(task: FoldTask, method: Method) -> Architecture:
    """An even draw of the space, another one for each fold and seed."""
    seed = [task.seed, task.fold.index]
    origin = {"strategy": RANDOM_SAMPLING, "seed": task.seed, "fold": task.fold.index}
    corpus = task.corpus
    return next(draw_architectures(task.config.space, corpus.num_outputs, corpus.shapes, seed, origin))
