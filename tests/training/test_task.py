import math
import os
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from nni_emodarts.config import OptimizerConfig, load_config
from nni_emodarts.errors import ConfigError
from nni_emodarts.models.space import build_model, random_architecture
from nni_emodarts.training.graph import onnx_graph
from nni_emodarts.training.task import EmotionTask, class_weights, make_task
from nni_emodarts.training.trainer import pick_device


def test_class_weights_are_scikit_learns() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = np.array([0] * 7 + [1] * 2 + [2] * 5)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(class_weights(labels, 3).numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_the_rate_warms_up_and_falls_along_a_cosine(optimizer: str) -> None:
    task = EmotionTask(
        torch.ones(2), total_steps=110, optimizer=optimizer, learning_rate=0.1, final_learning_rate=0.01,
        warmup_steps=10,
    )  # fmt: skip
    task.set_model(nn.Linear(2, 2))
    made = task.configure_optimizers()
    rates = []
    for _ in range(120):
        rates.append(made["optimizer"].param_groups[0]["lr"])
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    assert rates[:10] == pytest.approx([0.01 * (step + 1) for step in range(10)])
    for step in (10, 35, 60, 110):
        assert rates[step] == pytest.approx(0.01 + 0.09 * (1 + math.cos(math.pi * (step - 10) / 100)) / 2)
    assert rates[-1] == pytest.approx(0.01)


def test_a_short_training_reaches_its_peak_and_ends_low() -> None:
    """Such as Hyperband's first rung: an epoch, where the recipe warms up for two."""
    config = OptimizerConfig(warmup_epochs=2.0, learning_rate=0.1, final_learning_rate=0.0)
    for epochs, peak in ((1, 5), (3, 15), (60, 20)):
        task = make_task(config, np.array([0, 1]), 2, epochs, 10)
        task.set_model(nn.Linear(2, 2))
        factor = task.configure_optimizers()["lr_scheduler"]["scheduler"].lr_lambdas[0]
        factors = [factor(step) for step in range(10 * epochs + 1)]
        assert int(np.argmax(factors)) in (peak - 1, peak)
        assert max(factors) == 1
        assert factors[-1] == pytest.approx(0)


def test_a_gpu_that_is_not_there() -> None:
    if torch.accelerator.is_available():
        pytest.skip("this machine has a GPU")
    assert pick_device("auto").type == "cpu"
    with pytest.raises(ConfigError, match="set device to auto or cpu"):
        pick_device("gpu")


@pytest.fixture
def nondeterministic() -> Iterator[None]:
    """Algorithms as PyTorch has them at first, whatever an earlier test on a GPU has switched on."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)
    yield
    torch.use_deterministic_algorithms(before[0], warn_only=before[1])


@pytest.mark.usefixtures("nondeterministic")
def test_a_gpu_computes_reproducibly_and_a_cpu_as_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of a GPU; that it does so, tests of resumed runs show where there is one."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that it is put back
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(torch.utils.deterministic, "fill_uninitialized_memory", True)
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("cuda"))
    assert pick_device("cpu").type == "cpu"
    assert torch.backends.cudnn.allow_tf32
    assert not torch.are_deterministic_algorithms_enabled()
    assert pick_device("auto") == pick_device("gpu") == torch.device("cuda", 0)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled(), "an operation that knows no order ends no run"
    assert not torch.backends.cudnn.allow_tf32
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:2"


@pytest.mark.parametrize("seed", range(3))
def test_the_onnx_graph_computes_the_network_at_any_length(seed: int) -> None:
    """Tracing may freeze lengths, so that the graph is run at others than the traced one."""
    import onnxruntime

    config = load_config("tiny")
    model = build_model(random_architecture(config.space, 4, (1, 40), seed)).eval()
    session = onnxruntime.InferenceSession(onnx_graph(model, (1, 40)))
    for lengths in ([101, 50, 3], [1], [20, 20]):
        maps = torch.randn(len(lengths), 1, 40, max(lengths))
        for number, length in enumerate(lengths):
            maps[number, ..., length:] = 0
        (found,) = session.run(None, {"maps": maps.numpy(), "lengths": np.array(lengths)})
        with torch.no_grad():
            expected = model(maps, torch.tensor(lengths)).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)
