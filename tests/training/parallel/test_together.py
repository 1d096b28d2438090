"""Two processes train one network: what they hold alike, and what one process would have computed."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn

from nni_emodarts.config import ExperimentConfig, load_config
from nni_emodarts.data.corpus import Corpus, load_corpus
from nni_emodarts.data.fold_task import FoldTask
from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.space import random_architecture
from nni_emodarts.runtime.run_folder import RunFolder
from nni_emodarts.search.one_shot import train as one_shot
from nni_emodarts.training.dimension_loss import DimensionLoss
from nni_emodarts.training.parallel.group import drawn_alike, gathered, rank, seed_alike, seed_apart, shares_of, size
from nni_emodarts.training.parallel.start import train_together
from nni_emodarts.training.retrain import fitting
from nni_emodarts.training.task import EmotionTask
from nni_emodarts.training.trainer import make_trainer, quiet

CPU = torch.device("cpu")
SMALL = ["space.cnn_primitives=[skip_connect,avg_pool_3x3,none]", "space.seqnn_primitives=[skip_connect,lstm_1]"]
STRATEGIES = {
    "darts": ["warmup_epochs=0", "skip_dropout=0.5", "partial_channels=2"],
    "darts_second_order": ["warmup_epochs=0", "eigenvalue=true", "selection=perturbation", "tuning_steps=1"],
    "gumbel_darts": ["warmup_epochs=0", "recompute=true"],
    "proxyless": ["warmup_epochs=0"],
    "random_one_shot": ["samples=2"],
}
LOSSES = ("classes", "mse", "ccc")


class Cut(BaseException):
    """What stops a search in the middle of a step."""


class PlainNetwork(nn.Module):
    """A network without statistics of a batch, and without anything that is drawn."""

    def __init__(self, bins: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(bins, 8), nn.Tanh(), nn.Linear(8, outputs))

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """maps (N, C, F, T), lengths (N,) -> (N, K + D)."""
        out: Tensor = self.layers(maps[:, 0].sum(-1) / lengths[:, None])
        return out


@dataclass
class Computed:
    """What two processes computed.

    Attributes:
        plain: weights of the plain network by its loss.
        choices: architecture of each strategy.
        held: of each strategy, digests of all parameters after each step, by process.
        network: weights of a retrained network, its best epoch and its history.
        drawn: three numbers that each process draws: of its own, of those that all draw, of its own.
    """

    plain: dict[str, list[Tensor]] = field(default_factory=dict)
    choices: dict[str, Any] = field(default_factory=dict)
    held: dict[str, list[list[int]]] = field(default_factory=dict)
    network: Any = None
    drawn: list[list[float]] = field(default_factory=list)


def configured(manifest: Path, strategy: str) -> ExperimentConfig:
    settings = [*SMALL, "search.epochs=2", "search.epoch_steps=2", "search.batch_size=7", "retrain.epochs=3"]
    settings += ["retrain.batch_size=7", "retrain.epoch_steps=4", "device=cpu", "devices=2"]
    settings += ["search.coarseness=4"]  # which makes a supernet quick
    settings += [f"search.options.{option}" for option in STRATEGIES[strategy]]
    options = {"data.manifest": str(manifest), "data.protocol": "loso", "search.strategy": strategy}
    return load_config("tiny", settings=settings, options=options)


def fit_plain(task: FoldTask, loss: str) -> list[Tensor]:
    """Weights after an epoch of steps whose last batch holds one utterance."""
    seed_alike(1)
    rows = task.fold.train[:22]
    weights = torch.tensor([0.4, 1.0, 2.0, 0.7])
    training = EmotionTask(weights, 100, "sgd", learning_rate=0.1, momentum=0.0)
    if loss != "classes":
        places = torch.rand(len(task.corpus.manifest), 2, generator=torch.Generator().manual_seed(3)) * 2 - 1
        places[rows[::5], 1] = float("nan")
        training.rate(DimensionLoss(places, loss, utterances=10))  # type: ignore[arg-type]
    network = PlainNetwork(task.corpus.shapes[1], 4 if loss == "classes" else 6)
    training.set_model(network)
    loader = shares_of(task.training_batches(rows, 7))
    with quiet():
        make_trainer(CPU, 1, [], gradient_clip=0.5).fit(training, loader)
    return [weight.detach().clone() for weight in network.parameters()]


def search_noting(task: FoldTask, folder: Path, computed: Computed) -> None:
    """Search, and note what this process and the other hold after each step."""
    noted: list[int] = []

    def note(recorder: Any, trainer: Any, module: Any, *_: Any) -> None:
        data = b"".join(each.detach().numpy().tobytes() for each in module.parameters())
        noted.append(int(sha256(data).hexdigest()[:15], 16))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(one_shot.Recorder, "on_train_batch_end", note)
        found = one_shot.search_share(task, RunFolder(folder), lambda *_: None)
    strategy = task.config.search.strategy
    computed.choices[strategy] = found.choices
    computed.held[strategy] = gathered(torch.tensor(noted)).view(size(), -1).tolist()


def search_cut_off(task: FoldTask, folder: Path) -> None:
    """Search, cut off in each epoch, and go on."""
    step = EmotionTask.training_step
    for cut in ((0, 1), (1, 0), (1, 1), None):

        def step_or_cut(training: Any, batch: Any, batch_idx: int, cut: Any = cut) -> Any:
            if (training.trainer.current_epoch, batch_idx) == cut:
                raise Cut
            return step(training, batch, batch_idx)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(EmotionTask, "training_step", step_or_cut)
            try:
                one_shot.search_share(task, RunFolder(folder), lambda *_: None)
            except Cut:
                assert cut is not None


def draw_three() -> list[float]:
    seed_apart(5)
    before = float(torch.rand(()))
    with drawn_alike():
        common = float(torch.rand(()))
    return [before, common, float(torch.rand(()))]


def compute(tasks: dict[str, FoldTask], architecture: Architecture, out: Path, tell: Any) -> Computed:
    """Everything in one start, since processes are slow to start."""
    computed = Computed()
    computed.plain = {loss: fit_plain(tasks["darts"], loss) for loss in LOSSES}
    computed.network = fitting.learn_share(tasks["darts"], architecture, None, None, tell)
    for strategy, task in tasks.items():
        search_noting(task, out / strategy, computed)
    search_cut_off(tasks["darts"], out / "cut")
    computed.drawn = gathered(torch.tensor([draw_three()])).tolist()
    tell({"told": rank()})
    return computed


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("together")
    for name in (*STRATEGIES, "cut"):
        (out / name).mkdir()
    return out


@pytest.fixture(scope="module")
def corpus(small_manifest: Path) -> Corpus:
    return load_corpus(configured(small_manifest, "darts"))


@pytest.fixture(scope="module")
def tasks(small_manifest: Path, corpus: Corpus) -> dict[str, FoldTask]:
    return {
        strategy: FoldTask(configured(small_manifest, strategy), corpus, corpus.fold(1), 3) for strategy in STRATEGIES
    }


@pytest.fixture(scope="module")
def architecture(tasks: dict[str, FoldTask]) -> Architecture:
    corpus, space = tasks["darts"].corpus, tasks["darts"].config.space
    return random_architecture(space, corpus.num_outputs, corpus.shapes, [1])


@pytest.fixture(scope="module")
def told() -> list[Any]:
    return []


@pytest.fixture(scope="module")
def computed(tasks: dict[str, FoldTask], architecture: Architecture, folders: Path, told: list[Any]) -> Computed:
    config = tasks["darts"].config
    return train_together(config, compute, tasks, architecture, folders, tell=lambda *said: told.extend(said))


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_a_plain_network_are_those_of_one_process(
    loss: str, computed: Computed, tasks: dict[str, FoldTask]
) -> None:
    """Also after a last batch of one utterance, and where a share lacks values."""
    alone = fit_plain(tasks["darts"], loss)
    seed_alike(1)
    begun = [*PlainNetwork(tasks["darts"].corpus.shapes[1], 4 if loss == "classes" else 6).parameters()]
    for one, two, first in zip(alone, computed.plain[loss], begun, strict=True):
        assert (one - first).abs().max() > 1e-3  # so that there is something to compare
        torch.testing.assert_close(one, two, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_all_processes_hold_the_same_alphas_and_weights_after_each_step(strategy: str, computed: Computed) -> None:
    first, second = computed.held[strategy]
    assert first == second
    assert len(set(first)) == len(first) >= 4  # each step moves something


def test_processes_draw_their_own_masks(computed: Computed) -> None:
    """But paths and noise of a strategy alike, which take nothing from what is drawn besides."""
    (first, common, second), (other_first, other_common, other_second) = computed.drawn
    assert common == other_common
    assert first != other_first
    seed_alike(5)
    assert [first, second] == [float(torch.rand(())), float(torch.rand(()))]
    assert second != other_second


def test_a_search_that_is_cut_off_ends_as_one_that_is_not(computed: Computed, folders: Path) -> None:
    for name in ("alphas.csv", "history.csv"):
        assert (folders / "cut" / name).read_bytes() == (folders / "darts" / name).read_bytes(), name


def test_validation_figures_are_those_of_one_process(
    computed: Computed, tasks: dict[str, FoldTask], architecture: Architecture
) -> None:
    weights, best_epoch, history = computed.network
    corpus = tasks["darts"].corpus
    network = fitting.build_network(architecture, corpus.num_outputs, corpus.shapes)
    network.load_state_dict(load(weights))
    task = tasks["darts"]
    batches = task.evaluation_batches(task.fold.validation, task.config.retrain.batch_size)
    found = fitting._validator(task, batches, CPU)(network)
    written = history[best_epoch - 1]
    assert {name: written[name] for name in found} == found


def test_only_the_first_process_is_heard(computed: Computed, told: list[Any]) -> None:
    rows = [each for each in told if "epoch" in each]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert told[-1] == {"told": 0}
