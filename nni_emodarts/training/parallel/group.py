"""The processes that train one network: who is among them, and what they bring together.

A process that trains alone is a group of one, in which nothing is brought together and nothing costs anything.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.data import DataLoader

from nni_emodarts.data.batches import AnyItem, Shares
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d

States = tuple[Tensor, Tensor | None]
"""State of torch's generator of the CPU, and of that of an accelerator where there is one."""

_common: dict[str, States] = {}
"""Of the draws that are the same in all processes: the state that the next one begins with."""


def size() -> int:
    """Number of the processes."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0; the first one writes what is written."""
    return dist.get_rank() if size() > 1 else 0


def seed_alike(*numbers: int) -> None:
    """Seed everything random, in all processes alike."""
    pl.seed_everything(_word(numbers), verbose=False)
    _seed_common(*numbers)


def seed_apart(*numbers: int) -> None:
    """Seed everything random, in each process otherwise; in the first as `seed_alike` does.

    What masks and voices are drawn for an utterance is then no copy of what another process draws.
    """
    place = rank()
    pl.seed_everything(_word([*numbers, place] if place else numbers), verbose=False)
    _seed_common(*numbers)


def _seed_common(*numbers: int) -> None:
    """Seed the draws that are the same in all processes."""
    if size() > 1:
        _common["state"] = _seeded(_word([*numbers, size()]))


@contextmanager
def drawn_alike() -> Iterator[None]:
    """What is drawn from torch's generators inside is the same in all processes: paths of a supernet, its noise."""
    if size() == 1:
        yield
        return
    own = _states()
    _set_states(_common["state"])
    try:
        yield
    finally:
        _common["state"] = _states()
        _set_states(own)


def shares_of(loader: DataLoader[AnyItem]) -> DataLoader[AnyItem] | Shares:
    """This process's shares of the batches of a loader, which draws alike in all; the loader itself of one alone."""
    return loader if size() == 1 else Shares(loader, rank(), size())


@torch.no_grad()
def averaged(tensors: Sequence[Tensor]) -> None:
    """Replace tensors by their means over the processes: the same to the last bit in each."""
    if size() == 1 or not tensors:
        return
    together = torch.cat([each.reshape(-1) for each in tensors])
    dist.all_reduce(together)
    together /= size()
    for each, mean in zip(tensors, together.split([each.numel() for each in tensors]), strict=True):
        each.copy_(mean.view_as(each))


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace the gradients of parameters that learn at present by their means over the processes."""
    if size() > 1:
        averaged([each.grad for each in parameters if each.requires_grad and each.grad is not None])


def average_statistics(model: nn.Module) -> None:
    """Bring the running statistics of batch normalisation together.

    Each process normalises its share of a batch by the share's own statistics, and follows these. The mean of the
    processes' running means is what one process would have that follows the means over the shares; the same holds of
    the variances within the shares, in which the little between them is missing.
    """
    layers = [part for part in model.modules() if isinstance(part, MaskedBatchNorm2d)]
    averaged([each for layer in layers for each in (layer.running_mean, layer.running_var)])


def mean_share(value: Tensor) -> Tensor:
    """Mean over the processes of a tensor that has no gradient; the tensor itself where a process is alone.

    What the loss of a share is divided by, in place of its own sum: so the mean of the processes' losses, and of their
    gradients, is that of the whole batch, whatever the shares hold.
    """
    if size() == 1:
        return value
    mean = value.detach().clone()
    averaged([mean])
    return mean


def gathered(own: Tensor) -> Tensor:
    """Rows (n, ...) of each process -> those of all of them, one process after the other, without gradients."""
    return own if size() == 1 else torch.cat(_parts(own))


def whole_batch(own: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs (n, ...) and rows (n,) of a share -> those of the batch, in its order, for a loss of all together.

    Each process has the gradient of its own outputs, n times as large for n processes: the mean of the processes'
    gradients is then that of the loss. A batch that each process computes as a whole is left as it is.
    """
    if size() == 1:
        return own, rows
    theirs = _parts(rows)
    if all(torch.equal(each, theirs[0]) for each in theirs):
        return own, rows
    outputs = _parts(own)
    outputs[rank()] = outputs[rank()] + size() * (own - own.detach())  # zeros that have a gradient
    places = [torch.arange(len(each)) * size() + place for place, each in enumerate(theirs)]
    order = torch.cat(places).argsort().to(rows.device)
    return torch.cat(outputs)[order], torch.cat(theirs)[order]


def _parts(own: Tensor) -> list[Tensor]:
    """Rows (n, ...) of each process, by process, without gradients."""
    own = own.detach().contiguous()
    counts = [torch.zeros(1, dtype=torch.int64, device=own.device) for _ in range(size())]
    dist.all_gather(counts, torch.tensor([len(own)], device=own.device))
    most = max(int(count) for count in counts)
    padded = own.new_zeros(most, *own.shape[1:])
    padded[: len(own)] = own
    found = [torch.empty_like(padded) for _ in range(size())]
    dist.all_gather(found, padded)
    return [each[: int(count)] for each, count in zip(found, counts, strict=True)]


@torch.no_grad()
def begin_alike(model: nn.Module) -> None:
    """Give all processes the parameters and buffers of the first."""
    if size() > 1:
        for each in (*model.parameters(), *model.buffers()):
            whole = each.contiguous()
            dist.broadcast(whole, 0)
            each.copy_(whole)


def _word(numbers: Sequence[int]) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _accelerator() -> torch.device | None:
    """The accelerator of the group; None where it computes on CPUs."""
    return None if dist.get_backend() == "gloo" else torch.accelerator.current_accelerator()


def _seeded(seed: int) -> States:
    device = _accelerator()
    own = None if device is None else torch.Generator(device).manual_seed(seed).get_state()
    return torch.Generator().manual_seed(seed).get_state(), own


def _states() -> States:
    device = _accelerator()
    return torch.get_rng_state(), None if device is None else torch.get_device_module(device).get_rng_state()


def _set_states(states: States) -> None:
    torch.set_rng_state(states[0])
    device = _accelerator()
    if device is not None:
        torch.get_device_module(device).set_rng_state(states[1])
