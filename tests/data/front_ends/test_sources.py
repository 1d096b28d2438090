"""Where weights come from: what is missing, damaged, or more than numbers is one message with the remedy."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import torch
import torchaudio
from torchaudio.models import wav2vec2_model, wavlm_model
from torchaudio.pipelines import Wav2Vec2Bundle

from nni_emodarts.config import TORCHAUDIO, PretrainedStream
from nni_emodarts.data.front_ends import front_end_facts, load_front_end
from nni_emodarts.data.front_ends.catalogue import FRONT_ENDS, Known
from nni_emodarts.data.front_ends.families import TORCHAUDIO_FAMILY
from nni_emodarts.data.front_ends.listing import listed_front_ends
from nni_emodarts.data.front_ends.sources import bundle_file, hub_folder
from nni_emodarts.errors import FrontEndError
from tests.data.front_ends.encoders import edit_config, make_encoder
from tests.data.front_ends.test_encoders import SAME, assert_same, voices


def stream(model: Path | str, **options: Any) -> PretrainedStream:
    return PretrainedStream(name="speech", model=str(model), **{"hop_ms": 20, "padding": 0, **options})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny encoder of wav2vec 2.0."""
    make_encoder(tmp_path / "encoder", "wav2vec2-base")
    return tmp_path / "encoder"


@pytest.fixture
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Caches of torch hub and Hugging Face that hold nothing, and no internet."""
    for name in ("TORCH_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)

    def fail(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError("Name or service not known")

    monkeypatch.setattr(requests, "get", fail)
    return tmp_path


def test_every_encoder_bundle_of_torchaudio_is_listed() -> None:
    """With the size, address and rate that torchaudio's own says."""
    build = {"Wav2Vec2": wav2vec2_model, "WavLM": wavlm_model}
    bundles = {name: getattr(torchaudio.pipelines, name) for name in torchaudio.pipelines.__all__}
    encoders = {name: bundle for name, bundle in bundles.items() if isinstance(bundle, Wav2Vec2Bundle)}
    assert {f"{TORCHAUDIO}{name}" for name in encoders} == {name for name in FRONT_ENDS if name.startswith(TORCHAUDIO)}
    for name, bundle in encoders.items():
        known, parameters = FRONT_ENDS[f"{TORCHAUDIO}{name}"], bundle._params
        with torch.device("meta"):
            model = build[bundle._model_type](**{**parameters, "aux_num_out": None})
        assert known.depth == parameters["encoder_num_layers"]
        assert known.features == parameters["encoder_embed_dim"]
        assert known.parameters == pytest.approx(sum(each.numel() for each in model.parameters()) / 1e6, abs=0.06)
        assert str(known.url).endswith(bundle._path)
        assert bundle.sample_rate == 16_000


def tiny_bundle(monkeypatch: pytest.MonkeyPatch, norm: str) -> tuple[Known, Wav2Vec2Bundle]:
    layers_first = norm == "layer_norm"
    convolutions = [(8, 10, 5), (8, 8, 8), (8, 8, 8)]
    options = {
        "extractor_mode": norm, "extractor_conv_layer_config": convolutions, "extractor_conv_bias": False,
        "encoder_embed_dim": 32, "encoder_projection_dropout": 0.0, "encoder_pos_conv_kernel": 16,
        "encoder_pos_conv_groups": 4, "encoder_num_layers": 3, "encoder_num_heads": 4,
        "encoder_attention_dropout": 0.0, "encoder_ff_interm_features": 48, "encoder_ff_interm_dropout": 0.0,
        "encoder_dropout": 0.0, "encoder_layer_norm_first": layers_first, "encoder_layer_drop": 0.0,
        "aux_num_out": None,
    }  # fmt: skip
    bundle = Wav2Vec2Bundle("tiny.pth", options, 16_000, layers_first, "Wav2Vec2")
    monkeypatch.setattr(torchaudio.pipelines, "TINY", bundle, raising=False)
    return Known("torchaudio:TINY", TORCHAUDIO_FAMILY, 0.03, 3, 32, "MIT", "https://example.org/tiny.pth"), bundle


@pytest.mark.parametrize("norm", ["group_norm", "layer_norm"])
def test_a_bundle_is_heard_with_as_torchaudio_does(
    own_caches: Path, monkeypatch: pytest.MonkeyPatch, norm: str
) -> None:
    known, bundle = tiny_bundle(monkeypatch, norm)
    file = bundle_file(known)
    file.parent.mkdir(parents=True)
    torch.save(wav2vec2_model(**bundle._params).state_dict(), file)
    assert file == Path(torch.hub.get_dir()) / "checkpoints" / "tiny.pth"
    with FRONT_ENDS.adding(known):
        front_end = load_front_end(stream(known.name))
        facts = front_end_facts(stream(known.name))
        (shorter,) = load_front_end(stream(known.name, levels=[1, 2]))(voices(1.0))
    assert (facts.levels, facts.features, facts.licence, facts.files) == ((0, 1, 2, 3), 32, "MIT", (str(file),))
    (waveform,) = voices(1.0)
    (found,) = front_end([waveform])
    assert_same(shorter, found[1:3])
    with torch.inference_mode():
        expected, _ = bundle.get_model().extract_features(torch.from_numpy(waveform)[None])
        assert_same(found[1:3], torch.stack(expected[:2])[:, 0].transpose(1, 2).numpy())
        model = bundle.get_model()
        final = model(torch.from_numpy(waveform)[None])[0] if norm == "group_norm" else None
    if final is not None:
        assert_same(found[3], final[0].T.numpy())
    else:
        assert abs(found[3].mean()) < SAME  # normalised as by the last norm, whose weights are new


def test_a_bundle_that_holds_more_than_numbers(own_caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known, _ = tiny_bundle(monkeypatch, "group_norm")
    file = bundle_file(known)
    file.parent.mkdir(parents=True)
    torch.save({"weights": Trap()}, file)
    with FRONT_ENDS.adding(known), pytest.raises(FrontEndError, match="more than numbers"):
        load_front_end(stream(known.name))
    file.write_bytes(b"PK\x03\x04 and nothing else")
    with FRONT_ENDS.adding(known), pytest.raises(FrontEndError, match=r"tiny\.pth is damaged .*; remove it"):
        load_front_end(stream(known.name))


class Trap:
    """What runs code when it is read by pickle."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, ("/tmp/this_must_never_be_made",)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("torchaudio:WAVLM_BASE_PLUS", ("cannot be fetched", "put it at", "wavlm_base_plus.pth")),
        ("torchaudio:WAVLM_BASE_PLSU", ("no such bundle", "did you mean WAVLM_BASE_PLUS")),
        ("/no/such/folder", ("there is no such folder", "config.json", "model.safetensors")),
    ],
)
def test_what_cannot_be_had(own_caches: Path, model: str, says: tuple[str, ...]) -> None:
    with pytest.raises(FrontEndError) as raised:
        front_end_facts(stream(model))
    for each in says:
        assert each in str(raised.value)


def test_no_internet(own_caches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def fail(*_: Any, **__: Any) -> str:
        raise LocalEntryNotFoundError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(FrontEndError, match=r"whisper-base is not on this machine .*`hf download openai/whisper-base"):
        front_end_facts(stream("openai/whisper-base"))


def test_a_name_that_is_none(own_caches: Path) -> None:
    with pytest.raises(FrontEndError, match=r"Hugging Face has no such model, .*emodarts front-ends lists them"):
        front_end_facts(stream("a/b/c"))


def test_the_extra_is_named_where_it_lacks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nni_emodarts.data.front_ends.fetching.find_spec", lambda name: None)
    with pytest.raises(FrontEndError, match=r"needs transformers: pip install 'nni_emodarts\[pretrained\]'"):
        load_front_end(stream(folder))


def test_what_hugging_faces_client_keeps_is_found(folder: Path, own_caches: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    kept = hub_folder() / "models--someone--encoder"
    (kept / "snapshots").mkdir(parents=True)
    folder.rename(kept / "snapshots" / commit)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(commit)
    for revision in (None, "main", commit):
        facts = front_end_facts(stream("someone/encoder", revision=revision))
        assert facts.revision == commit
    assert facts.provenance()["digest"] == facts.digest


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda folder: edit_config(folder, model_type="bert"),
            r"no speech encoder .*'bert'; known: whisper, wav",
        ),
        (lambda folder: edit_config(folder, num_hidden_layers=10**9), r"num_hidden_layers: 1000000000, not a number"),
        (lambda folder: edit_config(folder, num_hidden_layers=True), r"num_hidden_layers: True, not a number"),
        (lambda folder: edit_config(folder, hidden_size=33), r"config\.json cannot be used|lack 0 tensors .* have"),
        (lambda folder: edit_config(folder, num_hidden_layers=5), r"lack \d+ tensors of its encoder"),
        (lambda folder: (folder / "config.json").write_text("{"), r"config\.json cannot be read"),
        (lambda folder: (folder / "config.json").unlink(), r"holds no config\.json; copy all files"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"holds no weights \(model\.safetensors"),
        (lambda folder: cut(folder / "model.safetensors", 5000), r"model\.safetensors is damaged .*fetch it again"),
        (lambda folder: cut(folder / "model.safetensors", 50), r"model\.safetensors is damaged .*fetch it again"),
        (lambda folder: trap(folder), r"more than numbers, which could be run .* take a model whose weights are"),
    ],
)
def test_what_lies_there_and_is_no_good(folder: Path, spoil: Callable[[Path], object], says: str) -> None:
    spoil(folder)
    with pytest.raises(FrontEndError, match=says):
        load_front_end(stream(folder))
    assert not Path("/tmp/this_must_never_be_made").exists()


def cut(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])


def trap(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"encoder.layers": Trap()}, folder / "pytorch_model.bin")


def test_other_weights_than_those_of_a_run(folder: Path, tmp_path: Path) -> None:
    digest = front_end_facts(stream(folder)).digest
    assert front_end_facts(stream(folder, digest=digest)).digest == digest
    torch.manual_seed(3)
    make_encoder(tmp_path / "other", "wav2vec2-base")
    with pytest.raises(FrontEndError, match=rf"others than those .*, not {digest}; name a folder that holds those"):
        load_front_end(stream(tmp_path / "other", digest=digest))


def test_code_of_a_model_is_never_run(folder: Path) -> None:
    edit_config(folder, auto_map={"AutoModel": "trap.Model"}, architectures=["Model"])
    (folder / "trap.py").write_text("raise SystemExit('run')\n")
    load_front_end(stream(folder))(voices(0.5))


def test_weights_in_several_files(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    (waveform,) = voices(0.5)
    (whole,) = load_front_end(stream(folder))([waveform])
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    for number, part in enumerate((names[::2], names[1::2]), 1):
        prefixed = {f"wav2vec2.{name}": tensors[name] for name in part}
        save_file(prefixed, folder / f"model-{number:05}-of-00002.safetensors")
    (folder / "model.safetensors").unlink()
    assert_same(load_front_end(stream(folder))([waveform])[0], whole)
    assert front_end_facts(stream(folder)).parameters == sum(each.numel() for each in tensors.values())


def test_the_list_needs_no_torch(own_caches: Path) -> None:
    code = (
        "import sys; from nni_emodarts.data.front_ends.listing import listed_front_ends; "
        "print(len(list(listed_front_ends())), 'torch' in sys.modules, 'transformers' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == [str(len(FRONT_ENDS)), "False", "False"]


def test_the_list_says_what_is_there_and_what_is_needed(
    own_caches: Path, emodarts: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = bundle_file(FRONT_ENDS["torchaudio:HUBERT_BASE"])
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    assert [each.known.name for each in listed_front_ends() if each.here] == ["torchaudio:HUBERT_BASE"]
    monkeypatch.setattr("nni_emodarts.data.front_ends.listing.find_spec", lambda name: None)
    code, said = emodarts("front-ends")
    assert code == 0
    lines = said.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("torchaudio:HUBERT_BASE "))
    assert "94.4 M  levels 13 x  768 features  MIT" in lines[place]
    assert "on this machine" in lines[place + 1]
    place = next(number for number, line in enumerate(lines) if line.startswith("openai/whisper-base "))
    assert "fetched when first used" in lines[place + 1]
    assert "nni_emodarts[pretrained]" in lines[place + 1]


def test_names_are_as_transformers_counts_them() -> None:
    """Of two that are known by heart: layers, features and parameters of the encoder alone."""
    from transformers import WavLMConfig, WavLMModel

    known = FRONT_ENDS["microsoft/wavlm-base-plus"]
    with torch.device("meta"):
        model = WavLMModel(WavLMConfig())
    assert known.parameters == pytest.approx(sum(each.numel() for each in model.parameters()) / 1e6, abs=0.1)
    assert json.dumps(known.depth) == "12"
