"""Operations against independent implementations in torch."""

import pytest
import torch
from torch import nn

from nni_emodarts.models.nn.drop_path import DropPath
from nni_emodarts.models.nn.fused_normalization import normalize_real_frames
from nni_emodarts.models.nn.masking import frame_mask
from nni_emodarts.models.nn.normalization import MaskedBatchNorm2d
from nni_emodarts.models.nn.pooling import AvgPool, MaxPool
from nni_emodarts.models.nn.primitives import sequence_operation
from nni_emodarts.models.nn.recurrence import BidirectionalLayer, RecurrentAttention, StackedRecurrence, mirrored_frames
from nni_emodarts.models.nn.temporal_pooling import AttentionPooling, MeanPooling, StatisticsPooling

FULL = torch.tensor([11, 11, 11])


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_without_padding_is_torchs(training: bool) -> None:
    data = torch.randn(3, 4, 5, 11) * 3 + 2
    ours, theirs = MaskedBatchNorm2d(4), nn.BatchNorm2d(4)
    for norm in (ours, theirs):
        nn.init.constant_(norm.weight, 1.7)
        nn.init.constant_(norm.bias, -0.3)
    ours(data, FULL)
    theirs(data)
    ours.train(training)
    theirs.train(training)
    torch.testing.assert_close(ours(data, FULL), theirs(data))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)


def test_batch_norm_statistics_ignore_padding() -> None:
    """Statistics of a padded batch are those of its real frames, strung together; so are the gradients."""
    lengths = torch.tensor([6, 3])
    frames = torch.randn(1, 4, 5, 9, requires_grad=True)
    padded = torch.full((2, 4, 5, 6), 50.0)
    padded[0], padded[1, ..., :3] = frames[0, ..., :6], frames[0, ..., 6:]
    ours, theirs = MaskedBatchNorm2d(4), nn.BatchNorm2d(4)
    found = ours(padded, lengths)
    strung = torch.cat([found[0], found[1, ..., :3]], -1)
    torch.testing.assert_close(strung, theirs(frames)[0])
    weights = torch.randn_like(strung)
    (gradient,) = torch.autograd.grad((strung * weights).sum(), frames, retain_graph=True)
    (expected,) = torch.autograd.grad((theirs(frames)[0] * weights).sum(), frames)
    torch.testing.assert_close(gradient, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(
        ours.running_var, nn.BatchNorm2d(4).running_var * 0.9 + 0.1 * frames[0].flatten(1).var(1)
    )


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("noise", [0.0, 4.0], ids=["zero padding", "noise in the padding"])
def test_fused_batch_norm_is_its_formula(affine: bool, noise: float) -> None:
    """Outputs, statistics and every gradient, in double, against autograd of the formula on real frames."""
    lengths = torch.tensor([7, 4, 1])
    real = frame_mask(lengths, 7)[:, None, None]
    maps = torch.randn(3, 4, 5, 7, dtype=torch.double) * 2 + 3
    maps = torch.where(real, maps, noise * maps).requires_grad_()
    weight, bias = (torch.randn(4, dtype=torch.double).requires_grad_() for _ in range(2))
    used = (weight, bias) if affine else (None, None)
    pixels = maps.movedim(1, -1)[real.expand(-1, 1, 5, -1)[:, 0]]
    mean, var = pixels.mean(0), pixels.var(0, correction=0)
    expected = (maps - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()
    if affine:
        expected = expected * weight[:, None, None] + bias[:, None, None]
    expected = expected * real
    out, found_mean, found_var = normalize_real_frames(maps, lengths, *used, 1e-5)
    torch.testing.assert_close((out, found_mean, found_var), (expected, mean, var))
    wanted = (maps, weight, bias) if affine else (maps,)
    direction = torch.randn_like(out)
    found = torch.autograd.grad((out * direction).sum(), wanted)
    torch.testing.assert_close(found, torch.autograd.grad((expected * direction).sum(), wanted))


@pytest.mark.parametrize("stride", [1, 2])
def test_pools_are_torchs(stride: int) -> None:
    data = torch.randn(3, 4, 5, 11)
    for pool, reference in (
        (MaxPool(4, stride, False), nn.MaxPool2d(3, stride, 1)),
        (AvgPool(4, stride, False), nn.AvgPool2d(3, stride, 1, count_include_pad=False)),
    ):
        expected = nn.BatchNorm2d(4, affine=False)(reference(data))
        torch.testing.assert_close(pool(data, FULL), expected)


@pytest.mark.parametrize("kind", ["lstm", "rnn"])
def test_bidirectional_layer_is_torchs_on_packed_sequences(kind: str) -> None:
    lengths = torch.tensor([9, 4, 1])
    data = torch.randn(3, 9, 6)
    ours = BidirectionalLayer(kind, 6, 6)  # type: ignore[arg-type]
    theirs = {"lstm": nn.LSTM, "rnn": nn.RNN}[kind](6, 6, batch_first=True, bidirectional=True)
    state = ours.forwards.state_dict() | {
        f"{name}_reverse": value for name, value in ours.backwards.state_dict().items()
    }
    theirs.load_state_dict(state)
    packed = nn.utils.rnn.pack_padded_sequence(data, lengths, batch_first=True)
    expected, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)
    found = ours(data, mirrored_frames(lengths, 9))
    for number, length in enumerate(lengths):
        torch.testing.assert_close(found[number, :length], expected[number, :length])


def test_recurrences_have_the_layers_they_name() -> None:
    stacked = StackedRecurrence("lstm", 6, 3)
    assert [(layer.num_layers, layer.bidirectional) for layer in stacked.layers] == [(1, False)] * 3
    attention = RecurrentAttention("rnn", 6, 2)
    assert [layer.forwards.input_size for layer in attention.layers] == [6, 12]


@pytest.mark.parametrize("name", ["lstm_2", "rnn_1", "lstm_att_1", "rnn_att_2"])
def test_a_normalised_recurrence_is_the_plain_one_with_even_frames(name: str) -> None:
    lengths, data = torch.tensor([8, 5]), torch.randn(2, 8, 6)
    plain, even = sequence_operation(name, 6), sequence_operation(name, 6, normalized=True)
    even.load_state_dict(plain.state_dict())
    states, found = plain(data, lengths).double(), even(data, lengths)
    centred = states - states.mean(2, keepdim=True)
    expected = centred / (centred.square().mean(2, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-4)


def test_attention_looks_at_all_frames_and_only_at_its_own_sample() -> None:
    lengths = torch.tensor([8, 5])
    data = torch.randn(2, 8, 6, requires_grad=True)
    out = RecurrentAttention("lstm", 6, 1)(data, lengths)
    (gradient,) = torch.autograd.grad(out[1, 0].sum(), data)
    assert gradient[1, :5].abs().sum(1).gt(0).all(), "the first output must depend on every real frame"
    assert not gradient[1, 5:].any()
    assert not gradient[0].any()


def test_temporal_pooling_without_padding() -> None:
    data = torch.randn(3, 11, 6)
    torch.testing.assert_close(MeanPooling(6)(data, FULL), data.mean(1))
    attention = AttentionPooling(6)
    nn.init.zeros_(attention.score.weight)
    torch.testing.assert_close(attention(data, FULL), data.mean(1))
    statistics = StatisticsPooling(6)
    nn.init.zeros_(statistics.score.weight)
    expected = torch.cat([data.mean(1), data.std(1, correction=0)], 1)
    torch.testing.assert_close(statistics(data, FULL), expected, atol=1e-5, rtol=1e-4)


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    drop = DropPath(0.4)
    out = drop(torch.ones(20000, 2, 3))
    assert set(out.flatten(1).std(1).tolist()) == {0.0}
    assert abs(out.mean().item() - 1) < 0.02
    assert torch.equal(drop.eval()(out), out)
