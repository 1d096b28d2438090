import pytest
import torch

from nni_emodarts.runtime.environment import describe_environment, same_speed
from nni_emodarts.training.trainer import environment_of


def test_cpu_seconds_beside_another_gpu_do_not_compare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch calls the first GPU of every machine `cuda:0`."""
    found = []
    for name in ("NVIDIA A100", "NVIDIA T4", "NVIDIA T4"):
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device, name=name: f"{name} of {device}")
        found.append(environment_of(torch.device("cuda", 0)))
    assert [each["accelerator"] for each in found] == [f"NVIDIA {name} of cuda:0" for name in ("A100", "T4", "T4")]
    assert not same_speed(found[0], found[1])
    assert same_speed(found[1], found[2])


def test_cpu_seconds_compare_on_one_machine_with_the_same_threads() -> None:
    one, other, busier = (describe_environment("cpu", threads) for threads in (1, 1, 2))
    assert "accelerator" not in environment_of(torch.device("cpu"))
    assert same_speed(one, other)
    assert not same_speed(one, busier)
    assert not same_speed(one, describe_environment("mps", 1))
