"""The head on all levels: its weights begin alike, learn at a rate of their own, and find the level that matters."""

import torch
from torch.nn import functional as F

from nni_emodarts.models.baselines import Baseline, build_baseline
from nni_emodarts.models.baselines.weighted_levels import WeightedLevels
from nni_emodarts.models.nn.level_sum import RATE, LevelSum
from nni_emodarts.training.task import EmotionTask


def test_levels_weigh_alike_at_the_beginning() -> None:
    maps = torch.randn(2, 5, 8, 7)
    torch.testing.assert_close(LevelSum(5)(maps), maps.mean(1).transpose(1, 2))


def test_their_weights_have_a_rate_of_their_own_and_do_not_decay() -> None:
    task = EmotionTask(torch.ones(3), total_steps=10, learning_rate=1e-3, final_learning_rate=1e-4, weight_decay=0.01)
    network = build_baseline(Baseline("weighted_levels"), 3, (4, 6))
    task.set_model(network)
    made = task.configure_optimizers()
    common, own = made["optimizer"].param_groups
    assert own["params"][0] is network.levels.scores
    assert (common["weight_decay"], own["weight_decay"]) == (0.01, 0.0)
    assert own["lr"] == RATE * common["lr"]
    for _ in range(10):
        made["optimizer"].step()
        made["lr_scheduler"]["scheduler"].step()
    assert own["lr"] == RATE * common["lr"] == RATE * 1e-4
    task.set_model(build_baseline(Baseline("lstm"), 3, (4, 6)))
    assert len(task.configure_optimizers()["optimizer"].param_groups) == 1


def test_the_level_that_tells_the_classes_apart_gets_most_of_the_weight() -> None:
    torch.manual_seed(0)
    network = WeightedLevels(2, (4, 6), width=8)
    task = EmotionTask(torch.ones(2), total_steps=300, learning_rate=5e-3)
    task.set_model(network)
    optimizer = task.configure_optimizers()["optimizer"]
    lengths = torch.full((32,), 9)
    for _ in range(300):
        labels = torch.randint(2, (32,))
        maps = torch.randn(32, 4, 6, 9)
        maps[:, 2, 0] += (2.0 * labels - 1)[:, None]
        optimizer.zero_grad()
        F.cross_entropy(network(maps, lengths), labels).backward()
        optimizer.step()
    weights = torch.softmax(network.levels.scores, 0)
    assert weights[2] > 0.6
