import os

import pytest
import torch

from nni_emodarts.runtime.environment import describe_environment, same_speed, threads_each
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


@pytest.mark.parametrize(
    ("asked", "processes", "threads"),
    [("", 1, 8), ("", 3, 2), ("", 9, 1), ("1", 1, 1), ("3", 2, 3), ("3", 4, 2), ("0", 2, 1), ("4,2", 2, 4)],
)
def test_threads_are_shared_and_bounded(
    monkeypatch: pytest.MonkeyPatch, asked: str, processes: int, threads: int
) -> None:
    """By the variable that bounds them for OpenMP; a list in it bounds nothing."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads_each(processes) == threads
