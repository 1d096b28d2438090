"""Streams: what a network hears, by the single settings or by a list, and what of it is refused."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
import yaml

from nni_emodarts.cli.options import load, trial_arguments
from nni_emodarts.config import ExperimentConfig, PretrainedStream, load_config, validate
from nni_emodarts.config.resuming import meaning
from nni_emodarts.config.streams import front_end_streams, stream_name
from nni_emodarts.errors import ConfigError

WHISPER = {"name": "whisper", "kind": "pretrained", "model": "openai/whisper-base"}


def heard(*streams: dict[str, object]) -> ExperimentConfig:
    return validate({"features": {"streams": list(streams)}})


@pytest.mark.parametrize(
    ("preset", "known"),
    [("paper", "fde21a030e49969a"), ("compact", "30c217c5590f78f2"), ("tiny", "f1aa3f5cd50ef152")],
)
def test_settings_without_streams_mean_what_they_meant(preset: str, known: str) -> None:
    """Digest of what each preset decides, from before there were streams."""
    config = load_config(preset)
    assert sha256(json.dumps(meaning(config), sort_keys=True).encode()).hexdigest()[:16] == known
    assert config.track == "scratch"


def test_single_settings_mean_one_stream() -> None:
    config = load_config("tiny", settings=["features.deltas=1", "features.contours=[energy]"])
    (stream,) = config.features.heard
    assert stream.name == stream.kind == "log_mel"
    assert stream.input_shape == config.features.input_shape == (3, 40)
    assert stream.spectral() == config.features.spectral()


def test_a_saved_configuration_with_streams_reads_as_it_was(tmp_path: Path) -> None:
    config = load_config("tiny", options={"features.streams": [WHISPER, {"name": "mel", "kind": "log_mel"}]})
    (tmp_path / "config.yml").write_text(config.to_yaml())
    assert load_config(file=tmp_path / "config.yml") == config
    assert config.track == "pretrained"
    assert [stream.name for stream in config.features.pretrained] == ["whisper"]


def test_a_configuration_of_before_reads_as_before(tmp_path: Path) -> None:
    data = yaml.safe_load(load_config("tiny").to_yaml())
    del data["features"]["streams"]
    (tmp_path / "config.yml").write_text(yaml.safe_dump(data))
    assert load_config(file=tmp_path / "config.yml") == load_config("tiny")


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        ({"name": "a"}, r"features\.streams\.0: .*needs a kind: log_mel, mfcc or pretrained"),
        ({"name": "a", "kind": "wav"}, r"features\.streams\.0: .*needs a kind: log_mel, mfcc or pretrained"),
        ({**WHISPER, "name": "A b"}, r"features\.streams\.0\.name: 'A b' must be of small letters.*such as a_b"),
        ({**WHISPER, "modl": "x"}, r"features\.streams\.0\.modl: unknown key; did you mean model"),
        ({**WHISPER, "levels": [3, 3]}, r"levels: \[3, 3\] names a level twice"),
        ({**WHISPER, "levels": []}, r"features\.streams\.0\.levels: .*at least 1"),
        ({**WHISPER, "digest": "12"}, r"features\.streams\.0\.digest: '12' must be the 64 hexadecimal digits"),
        ({**WHISPER, "hop_ms": True}, r"features\.streams\.0\.hop_ms: True is not allowed"),
        ({**WHISPER, "padding": 40}, r"features\.streams\.0\.padding: 40 is not allowed"),
        ({"name": "a", "kind": "log_mel", "coefficients": 5}, r"features\.streams\.0\.coefficients: 5 has no meaning"),
        ({"name": "a", "kind": "log_mel", "model": "x"}, r"features\.streams\.0\.model: unknown key"),
    ],
)
def test_faults_of_a_stream_are_told_in_its_own_words(stream: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        heard(stream)


def test_streams_have_names_of_their_own() -> None:
    with pytest.raises(ConfigError, match="two are called whisper"):
        heard(WHISPER, WHISPER)


def test_bands_are_not_shifted_where_a_stream_has_none() -> None:
    data = {
        "features": {"streams": [{"name": "a", "kind": "mfcc"}]},
        "retrain": {"perturbation": {"pitch": 0.05}},
    }
    with pytest.raises(ConfigError, match=r"pitch: 0\.05 shifts along the frequency axis"):
        validate(data)


def test_levels_are_in_order() -> None:
    (stream,) = heard({**WHISPER, "levels": [4, 2]}).features.heard
    assert isinstance(stream, PretrainedStream)
    assert stream.levels == (2, 4)


def test_weights_that_are_known_make_the_place_they_come_from_meaningless() -> None:
    known = {"digest": "0" * 64}
    one = heard({**WHISPER, **known}).meaning()
    other = heard({**WHISPER, **known, "model": "/models/whisper", "revision": "main"}).meaning()
    assert one == other
    assert heard(WHISPER).meaning() != heard({**WHISPER, "model": "openai/whisper-tiny"}).meaning()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openai/whisper-base", "whisper_base"),
        ("torchaudio:WAVLM_BASE_PLUS", "wavlm_base_plus"),
        ("/models/whisper-base-encoder/", "whisper_base_encoder"),
        ("facebook/data2vec-audio-base", "data2vec_audio_base"),
        ("someone/2b", "stream_2b"),
        ("x/" + "long" * 30, ("long" * 30)[:40]),
    ],
)
def test_a_front_end_gives_its_stream_a_name(model: str, name: str) -> None:
    assert stream_name(model) == name
    heard(*front_end_streams(model))


def test_a_front_end_is_one_stream_and_its_folder_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "encoder").mkdir()
    monkeypatch.chdir(tmp_path)
    for word in ("encoder", "./encoder"):
        config = load("tiny", None, None, None, None, front_end=word)
        assert [stream.model for stream in config.features.pretrained] == [str(tmp_path / "encoder")]
        assert trial_arguments("tiny", None, None, None, None, word)[-2:] == [
            "--front-end", str(tmp_path / "encoder"),
        ]  # fmt: skip
    settings = ["features.streams=[{name: a, kind: pretrained, model: ./encoder}]"]
    assert load("tiny", None, settings, None, None).features.pretrained[0].model == str(tmp_path / "encoder")
    named = load("tiny", None, None, None, None, front_end="torchaudio:HUBERT_BASE")
    assert named.features.pretrained[0].model == "torchaudio:HUBERT_BASE"
