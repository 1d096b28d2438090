import librosa
import numpy as np
import pandas as pd
import pytest

from nni_emodarts.data.features import FeatureExtractor, framing, read_audio
from nni_emodarts.errors import ConfigError

PAPER = {"kind": "mfcc", "sampling_rate": 16000, "window_ms": 125.0, "hop_ms": 62.5, "mel_bands": 128}
WINDOWS = [(16000, 32.0, 10.0, 64), (16000, 125.0, 62.5, 128), (8000, 25.0, 10.0, 40), (44100, 40.0, 12.5, 80)]


def librosa_log_mel(waveform, extractor):
    power = librosa.feature.melspectrogram(
        y=waveform,
        sr=extractor.sampling_rate,
        n_fft=extractor.n_fft,
        win_length=extractor.window,
        hop_length=extractor.hop,
        center=True,
        pad_mode="constant",
        n_mels=extractor.mel_bands,
        fmin=extractor.f_min,
        fmax=extractor.f_max,
    )
    return np.log(np.maximum(power, 1e-10))


@pytest.mark.parametrize(("rate", "window", "hop", "bands"), WINDOWS)
def test_log_mel_equals_librosa(tone, rate, window, hop, bands):
    extractor, waveform = FeatureExtractor("log_mel", rate, window, hop, bands), tone(0.7, rate)
    ours = extractor(waveform)
    assert ours.dtype == np.float32
    # float32 against float64 filter banks, after a logarithm
    np.testing.assert_allclose(ours, librosa_log_mel(waveform, extractor), atol=2e-3)


@pytest.mark.parametrize("coefficients", [13, None])
@pytest.mark.parametrize(("rate", "window", "hop", "bands"), WINDOWS)
def test_mfcc_equals_librosa(tone, rate, window, hop, bands, coefficients):
    extractor = FeatureExtractor("mfcc", rate, window, hop, bands, coefficients)
    waveform = tone(0.7, rate)
    expected = librosa.feature.mfcc(S=librosa_log_mel(waveform, extractor), n_mfcc=coefficients or bands)
    np.testing.assert_allclose(extractor(waveform), expected, atol=5e-3)  # sums of 40 to 128 logarithms


def test_maps_do_not_depend_on_the_blocks_they_are_computed_in(tone, log_mel, monkeypatch):
    extractor, waveform = FeatureExtractor(**log_mel, contours=("energy",)), tone(0.7, 16000)
    whole = extractor(waveform)
    monkeypatch.setattr(framing, "BLOCK_FRAMES", 9)
    np.testing.assert_allclose(extractor(waveform), whole, atol=1e-4)


@pytest.mark.parametrize("settings", ["default", "paper"])
@pytest.mark.parametrize("samples", [1, 159, 160, 161, 1000, 16000])
def test_any_length_gives_aligned_finite_frames(log_mel, settings, samples):
    chosen = PAPER if settings == "paper" else log_mel
    extractor = FeatureExtractor(**chosen, contours=("pitch", "energy"))
    waveform = np.random.default_rng(1).standard_normal(samples).astype(np.float32)
    features = extractor(waveform)
    assert features.shape == (extractor.feature_rows, 1 + samples // extractor.hop)
    assert np.isfinite(features).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("rate", "window", "bands", "f_min"),
    [(16000, 125.0, 128, 50.0), (16000, 10.0, 128, 0.0), (1000, 20.0, 64, 50.0), (48000, 25.0, 256, 20.0)],
)
def test_no_mel_band_is_empty(rate, window, bands, f_min):
    extractor = FeatureExtractor("log_mel", rate, window, 10.0, bands, f_min=f_min)
    bank = librosa.filters.mel(sr=rate, n_fft=extractor.n_fft, n_mels=bands, fmin=f_min)
    assert (bank.max(axis=1) > 0).all()
    assert extractor.n_fft >= extractor.window


def test_paper_preset_keeps_the_window_in_one_fft():
    extractor = FeatureExtractor(**PAPER)
    assert (extractor.window, extractor.hop, extractor.n_fft) == (2000, 1000, 2048)
    assert extractor.feature_rows == 128


def test_silence_is_finite_and_its_pitch_constant(log_mel):
    features = FeatureExtractor(**log_mel, contours=("pitch", "energy"))(np.zeros(8000, np.float32))
    pitch, energy = features[-2], features[-1]
    np.testing.assert_allclose(pitch, np.log2(np.sqrt(60 * 600)), rtol=1e-6)
    np.testing.assert_allclose(energy, np.log(1e-5), rtol=1e-6)


def test_pitch_of_a_buzz_and_energy_of_a_louder_one(log_mel, tone):
    extractor, waveform = FeatureExtractor(**log_mel, contours=("pitch", "energy")), tone(0.6, 16000, frequency=220)
    pitch, energy = extractor(waveform)[-2:, 5:-5]
    assert np.abs(pitch - np.log2(220)).max() < 0.25 / 12  # pYIN's resolution here: a quarter of a semitone
    louder = extractor(10 * waveform)[-1, 5:-5]
    np.testing.assert_allclose(louder - energy, np.log(10), atol=1e-4)


def test_energy_equals_librosa(log_mel, tone):
    waveform = tone(0.6, 16000)
    rms = librosa.feature.rms(y=waveform, frame_length=512, hop_length=160, center=True, pad_mode="constant")[0]
    energy = FeatureExtractor(**log_mel, contours=("energy",))(waveform)[-1]
    np.testing.assert_allclose(energy, np.log(rms), atol=1e-4)


def test_pitch_is_interpolated_over_unvoiced_frames(log_mel, tone):
    low, high = tone(0.4, 16000, frequency=120), tone(0.4, 16000, frequency=240)
    pitch = FeatureExtractor(**log_mel, contours=("pitch",))(np.concatenate([low, np.zeros(3200, np.float32), high]))[
        -1
    ]
    gap = pitch[40:60]
    assert (np.diff(gap) >= 0).all()
    assert gap[0] < np.log2(150) < np.log2(190) < gap[-1]


@pytest.mark.parametrize(("rate", "hop"), [(1000, 62.5), (8000, 100.0), (16000, 500.0), (16000, 0.1)])
def test_pitch_accepts_any_rate_and_hop(rate, hop, tone):
    contour = FeatureExtractor("log_mel", rate, 32.0, hop, 16, contours=("pitch",))(tone(0.3, rate, frequency=100))[-1]
    assert np.median(contour) == pytest.approx(np.log2(100), abs=0.1)


def test_men_speak_lower_than_women(emodb4, log_mel):
    table = pd.read_csv(emodb4 / "manifest.csv", dtype=str).query("emotion == 'neutral'")
    extractor = FeatureExtractor(**{**log_mel, "mel_bands": 16}, contours=("pitch",))
    mean = {
        gender: 2
        ** np.mean([extractor(read_audio(emodb4 / file, 16000))[-1].mean() for file in rows["file"].iloc[::8]])
        for gender, rows in table.groupby("gender")
    }
    # speaking pitch of German men about 100 to 150 Hz, of women about 170 to 250 Hz (Simpson 2009)
    assert 80 < mean["male"] < 160 < mean["female"] < 270


def test_equal_settings_mean_equal_numbers(log_mel):
    settings = FeatureExtractor(**log_mel).settings
    assert settings == FeatureExtractor(**log_mel, f_max=8000.0).settings  # the default, spelled out
    others = [{"hop_ms": 11.0}, {"f_min": 60.0}, {"contours": ("pitch",)}, {"kind": "mfcc"}, {"mel_bands": 63}]
    for change in others:
        assert FeatureExtractor(**{**log_mel, **change}).settings != settings


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "spectrogram"}, r"features\.kind: 'spectrogram'.*known: log_mel, mfcc"),
        ({"contours": ("jitter",)}, r"features\.contours: 'jitter'.*known: pitch, energy"),
        ({"hop_ms": 0.01}, r"features\.hop_ms: 0\.01 ms is 0 samples"),
        ({"f_max": 9000.0}, r"50\.0 to 9000\.0 Hz .* 8000\.0"),
        ({"f_min": 8000.0}, r"8000\.0 to 8000\.0 Hz"),
        ({"kind": "mfcc", "coefficients": 65}, r"features\.coefficients: 65 .*\(64\)"),
        ({"mel_bands": 20000}, r"features\.mel_bands: 20000 .*set fewer"),
    ],
)
def test_value_out_of_bounds_is_named(log_mel, change, message):
    with pytest.raises(ConfigError, match=message):
        FeatureExtractor(**{**log_mel, **change})
