"""Levels of each kind of encoder: as its own code has them, alone or in batches, whole or in windows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nni_emodarts.config import PretrainedStream
from nni_emodarts.data.front_ends import front_end_facts, load_front_end
from nni_emodarts.data.front_ends.encoders.encoder import average_frames
from nni_emodarts.data.front_ends.encoders.whisper import LogMel
from nni_emodarts.errors import FrontEndError
from tests.data.front_ends.encoders import KINDS, make_encoder

RATE = 16_000
SAME = 1e-3
"""Share of the deviation by which frames may differ."""
WAVEFORMS = [kind for kind in KINDS if kind not in ("whisper", "wav2vec2-bert")]


def stream(folder: Path | str, **options: Any) -> PretrainedStream:
    return PretrainedStream(name="speech", model=str(folder), **{"hop_ms": 20, "padding": 0, **options})


def voices(*seconds: float) -> list[np.ndarray]:
    """Hums in noise, of so many seconds each."""
    generator = np.random.default_rng(0)
    made = []
    for each in seconds:
        time = np.arange(round(each * RATE)) / RATE
        hum = np.sin(2 * np.pi * (120 + 30 * each) * time) + 0.3 * generator.standard_normal(len(time))
        made.append(np.asarray(0.1 * hum, np.float32))
    return made


def assert_same(found: np.ndarray, expected: np.ndarray, share: float = SAME) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= share * expected.std()


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def made(kind: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A tiny encoder: its folder, its model, its feature extractor."""
    torch.manual_seed(1)
    folder = tmp_path_factory.mktemp(kind)
    return folder, *make_encoder(folder, kind)


def test_facts_come_from_the_files(made: tuple[Path, Any, Any]) -> None:
    folder, model, _ = made
    facts = front_end_facts(stream(folder, levels=[1, 3]))
    assert (facts.input_shape, facts.depth, facts.sampling_rate) == ((2, 32), 3, RATE)
    assert facts.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert len(facts.digest) == 64
    assert facts.licence == "not stated"
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: cc-by-4.0\n---\nAn encoder.\n")
    assert front_end_facts(stream(folder)).licence == "cc-by-4.0"
    assert front_end_facts(stream(folder)).levels == (0, 1, 2, 3)


def test_levels_are_those_of_its_own_code(kind: str, made: tuple[Path, Any, Any]) -> None:
    """All hidden states, and after the last layer what follows all layers."""
    if kind == "whisper":
        pytest.skip("its own code hears 30 s and nothing else; it is compared below")
    folder, model, extractor = made
    (waveform,) = voices(2.03)
    with torch.no_grad():
        given = extractor(waveform, sampling_rate=RATE, return_tensors="pt")
        answer = model(**given, output_hidden_states=True)
    expected = torch.stack([*answer.hidden_states[:-1], answer.last_hidden_state])[:, 0].transpose(1, 2).numpy()
    (found,) = load_front_end(stream(folder))([waveform])
    assert found.dtype == np.float32
    assert_same(found, expected[..., : found.shape[2]])
    assert expected.shape[2] - found.shape[2] in (0, int(kind == "wav2vec2-bert"))  # half a pair of frames is masked


def test_batches_change_nothing(made: tuple[Path, Any, Any]) -> None:
    front_end = load_front_end(stream(made[0], padding=0.2))
    front_end._batch = 1e9  # as on a GPU, which hears many at once
    waveforms = voices(0.5, 0.504, 0.1, 0.51, 1.1, 0.5)
    for waveform, together in zip(waveforms, front_end(waveforms), strict=True):
        assert_same(together, front_end([waveform])[0])


def test_half_precision_of_a_gpu_is_near(made: tuple[Path, Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """In bf16, here on the CPU: each kind goes through, and is what float32 gives but for rounding."""
    front_end = load_front_end(stream(made[0]))
    (waveform,) = voices(0.6)
    (exact,) = front_end([waveform])
    front_end._dtype = torch.bfloat16
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)  # its convolutions in bf16 are wrong on CPUs with AMX
    (rounded,) = front_end([waveform])
    error = np.square(rounded - exact).mean() ** 0.5
    assert 0 < error < 0.05 * exact.std()


def test_fewer_levels_are_the_same_and_need_fewer_layers(made: tuple[Path, Any, Any]) -> None:
    (waveform,) = voices(1.2)
    (every,) = load_front_end(stream(made[0]))([waveform])
    for levels in ([0], [2], [1, 2], [0, 3]):
        front_end = load_front_end(stream(made[0], levels=levels))
        assert_same(front_end([waveform])[0], every[levels])
        layers = [part for name, part in front_end.encoder.named_modules() if name.endswith("layers")]
        assert any(len(list(each.children())) == levels[-1] for each in layers)


def test_frames_become_their_means(made: tuple[Path, Any, Any]) -> None:
    (waveform,) = voices(1.13)
    (fine,) = load_front_end(stream(made[0]))([waveform])
    (coarse,) = load_front_end(stream(made[0], hop_ms=80))([waveform])
    parts = [fine[..., first : first + 4].mean(-1) for first in range(0, fine.shape[-1], 4)]
    assert_same(coarse, np.stack(parts, -1))


def test_silence_behind_is_heard_and_not_kept(made: tuple[Path, Any, Any]) -> None:
    (waveform,) = voices(1.5)
    (bare,) = load_front_end(stream(made[0]))([waveform])
    (padded,) = load_front_end(stream(made[0], padding=1.0))([waveform])
    assert padded.shape == bare.shape
    assert np.abs(padded - bare).max() > 0


def test_what_is_longer_than_the_limit_is_heard_in_windows(made: tuple[Path, Any, Any]) -> None:
    """As many frames as in one piece; up to where windows are joined they are those of a window alone."""
    front_end = load_front_end(stream(made[0]))
    (waveform,) = voices(3.513)
    (whole,) = front_end([waveform])
    window = front_end._window = round(1.6 * RATE)
    (joined,) = front_end([waveform])
    assert joined.shape == whole.shape
    (first,) = front_end([waveform[:window]])
    assert_same(joined[..., :50], first[..., :50])
    begin = -(-(len(waveform) - window) // 320) * 320
    (last,) = front_end([waveform[begin:]])
    assert_same(joined[..., -30:], last[..., -30:])


def test_level_that_is_not_there(made: tuple[Path, Any, Any]) -> None:
    with pytest.raises(FrontEndError, match=r"asks for level 4 of .*, whose levels are 0 to 3"):
        load_front_end(stream(made[0], levels=[4]))
    with pytest.raises(FrontEndError, match=r"hop_ms of 30, no multiple of the 20 ms .*; set 40"):
        load_front_end(stream(made[0], hop_ms=30))


@pytest.mark.parametrize("kind", WAVEFORMS[:1])
def test_weights_of_torchs_own_format(kind: str, tmp_path: Path) -> None:
    make_encoder(tmp_path / "safe", kind)
    torch.manual_seed(0)
    model, _ = make_encoder(tmp_path / "pickled", kind, pickled=True)
    (waveform,) = voices(1.0)
    (found,) = load_front_end(stream(tmp_path / "pickled"))([waveform])
    model.save_pretrained(tmp_path / "again")
    (tmp_path / "again" / "preprocessor_config.json").write_text('{"do_normalize": true}')
    assert_same(found, load_front_end(stream(tmp_path / "again"))([waveform])[0])


def test_whisper_hears_thirty_seconds_as_its_own_code_does(tmp_path: Path) -> None:
    model, extractor = make_encoder(tmp_path, "whisper")
    (waveform,) = voices(3.0)
    with torch.no_grad():
        given = extractor(waveform, sampling_rate=RATE, return_tensors="pt")
        answer = model(**given, output_hidden_states=True)
    expected = torch.stack(answer.hidden_states)[:, 0].transpose(1, 2).numpy()[..., :150]
    front_end = load_front_end(stream(tmp_path, padding=27))
    assert_same(front_end([waveform])[0], expected)


def test_the_spectrum_of_an_exported_encoder_is_the_same() -> None:
    spectrum = LogMel(80)
    waveform = torch.from_numpy(voices(1.0)[0])[None]
    there, here = spectrum.by_convolution(waveform), spectrum.by_transform(waveform)
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-4)


def test_means_of_frames_with_a_rest() -> None:
    levels = torch.arange(2 * 3 * 7 * 2, dtype=torch.float32).reshape(2, 3, 7, 2)
    means = average_frames(levels, 3)
    torch.testing.assert_close(means[:, :, 0], levels[:, :, :3].mean(2))
    torch.testing.assert_close(means[:, :, 2], levels[:, :, 6])
    assert average_frames(levels, 1) is levels
