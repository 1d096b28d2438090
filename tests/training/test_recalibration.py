import torch
from torch import Tensor, nn

from nni_emodarts.data.batches import Batch
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d
from nni_emodarts.training.recalibration import recalibrate


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = MaskedBatchNorm2d(3)
        self.unused = MaskedBatchNorm2d(3)
        self.dropout = nn.Dropout(0.5)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.norm(maps, lengths))
        return out


def test_statistics_are_the_mean_over_batches_and_nothing_else_changes() -> None:
    net = Net().train()
    batches = [Batch(torch.randn(4, 3, 5, 6) + shift, torch.full((4,), 6), *[torch.zeros(4)] * 2) for shift in (1, 3)]
    state = torch.get_rng_state()
    recalibrate(net, batches, torch.device("cpu"))
    means = torch.stack([batch.maps.mean((0, 2, 3)) for batch in batches]).mean(0)
    variances = torch.stack([batch.maps.transpose(0, 1).flatten(1).var(1) for batch in batches]).mean(0)
    torch.testing.assert_close(net.norm.running_mean, means)
    torch.testing.assert_close(net.norm.running_var, variances)
    torch.testing.assert_close(net.unused.running_mean, torch.zeros(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training
    assert net.dropout.training
    assert net.norm.momentum == net.unused.momentum == 0.1
