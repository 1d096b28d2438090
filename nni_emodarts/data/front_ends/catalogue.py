"""Pretrained encoders that are known by name: what can be said of them before anything is fetched."""

from dataclasses import dataclass

from nni_emodarts.config import TORCHAUDIO
from nni_emodarts.config.registry import Registry
from nni_emodarts.data.front_ends.families import TORCHAUDIO_FAMILY

_URL = "https://download.pytorch.org/torchaudio/models/"
_MMS = "https://dl.fbaipublicfiles.com/mms/torchaudio/ctc_alignment_mling_uroman/model.pt"
_MIT, _NON_COMMERCIAL, _APACHE = "MIT", "CC-BY-NC-4.0", "Apache-2.0"


@dataclass(frozen=True)
class Known:
    """A pretrained encoder.

    Attributes:
        name: what a stream calls it.
        family: its kind.
        parameters: number of its encoder's parameters, in millions.
        depth: number of its layers; the levels are one more.
        features: width D of its frames.
        licence: of its weights, as its authors state it.
        url: where its one file is fetched, where it is torchaudio's.
    """

    name: str
    family: str
    parameters: float
    depth: int
    features: int
    licence: str
    url: str | None = None


def _bundle(name: str, file: str, size: tuple[float, int, int], licence: str = _MIT) -> Known:
    return Known(f"{TORCHAUDIO}{name}", TORCHAUDIO_FAMILY, *size, licence, file if "/" in file else _URL + file)


_BASE, _LARGE, _XLARGE = (94.4, 12, 768), (315.4, 24, 1024), (962.5, 48, 1280)
_BUNDLES = (
    _bundle("WAV2VEC2_BASE", "wav2vec2_fairseq_base_ls960.pth", _BASE),
    _bundle("WAV2VEC2_LARGE", "wav2vec2_fairseq_large_ls960.pth", _LARGE),
    _bundle("WAV2VEC2_LARGE_LV60K", "wav2vec2_fairseq_large_lv60k.pth", _LARGE),
    _bundle("WAV2VEC2_XLSR53", "wav2vec2_fairseq_large_xlsr53.pth", _LARGE),
    _bundle("WAV2VEC2_XLSR_300M", "wav2vec2_xlsr_300m.pth", _LARGE),
    _bundle("WAV2VEC2_XLSR_1B", "wav2vec2_xlsr_1b.pth", _XLARGE),
    _bundle("WAV2VEC2_XLSR_2B", "wav2vec2_xlsr_2b.pth", (2159.3, 48, 1920)),
    _bundle("HUBERT_BASE", "hubert_fairseq_base_ls960.pth", _BASE),
    _bundle("HUBERT_LARGE", "hubert_fairseq_large_ll60k.pth", _LARGE),
    _bundle("HUBERT_XLARGE", "hubert_fairseq_xlarge_ll60k.pth", _XLARGE),
    _bundle("WAVLM_BASE", "wavlm_base.pth", _BASE),
    _bundle("WAVLM_BASE_PLUS", "wavlm_base_plus.pth", _BASE),
    _bundle("WAVLM_LARGE", "wavlm_large.pth", (315.5, 24, 1024)),
    _bundle("WAV2VEC2_ASR_BASE_10M", "wav2vec2_fairseq_base_ls960_asr_ll10m.pth", _BASE),
    _bundle("WAV2VEC2_ASR_BASE_100H", "wav2vec2_fairseq_base_ls960_asr_ls100.pth", _BASE),
    _bundle("WAV2VEC2_ASR_BASE_960H", "wav2vec2_fairseq_base_ls960_asr_ls960.pth", _BASE),
    _bundle("WAV2VEC2_ASR_LARGE_10M", "wav2vec2_fairseq_large_ls960_asr_ll10m.pth", _LARGE),
    _bundle("WAV2VEC2_ASR_LARGE_100H", "wav2vec2_fairseq_large_ls960_asr_ls100.pth", _LARGE),
    _bundle("WAV2VEC2_ASR_LARGE_960H", "wav2vec2_fairseq_large_ls960_asr_ls960.pth", _LARGE),
    _bundle("WAV2VEC2_ASR_LARGE_LV60K_10M", "wav2vec2_fairseq_large_lv60k_asr_ll10m.pth", _LARGE),
    _bundle("WAV2VEC2_ASR_LARGE_LV60K_100H", "wav2vec2_fairseq_large_lv60k_asr_ls100.pth", _LARGE),
    _bundle("WAV2VEC2_ASR_LARGE_LV60K_960H", "wav2vec2_fairseq_large_lv60k_asr_ls960.pth", _LARGE),
    _bundle("VOXPOPULI_ASR_BASE_10K_EN", "wav2vec2_voxpopuli_base_10k_asr_en.pt", _BASE, _NON_COMMERCIAL),
    _bundle("VOXPOPULI_ASR_BASE_10K_ES", "wav2vec2_voxpopuli_base_10k_asr_es.pt", _BASE, _NON_COMMERCIAL),
    _bundle("VOXPOPULI_ASR_BASE_10K_DE", "wav2vec2_voxpopuli_base_10k_asr_de.pt", _BASE, _NON_COMMERCIAL),
    _bundle("VOXPOPULI_ASR_BASE_10K_FR", "wav2vec2_voxpopuli_base_10k_asr_fr.pt", _BASE, _NON_COMMERCIAL),
    _bundle("VOXPOPULI_ASR_BASE_10K_IT", "wav2vec2_voxpopuli_base_10k_asr_it.pt", _BASE, _NON_COMMERCIAL),
    _bundle("HUBERT_ASR_LARGE", "hubert_fairseq_large_ll60k_asr_ls960.pth", _LARGE),
    _bundle("HUBERT_ASR_XLARGE", "hubert_fairseq_xlarge_ll60k_asr_ls960.pth", _XLARGE),
    _bundle("MMS_FA", _MMS, _LARGE, _NON_COMMERCIAL),
)
_NAMES = (
    Known("openai/whisper-tiny", "whisper", 8.2, 4, 384, _APACHE),
    Known("openai/whisper-base", "whisper", 20.6, 6, 512, _APACHE),
    Known("openai/whisper-small", "whisper", 88.2, 12, 768, _APACHE),
    Known("openai/whisper-medium", "whisper", 307.2, 24, 1024, _APACHE),
    Known("openai/whisper-large-v3", "whisper", 637.0, 32, 1280, _APACHE),
    Known("facebook/wav2vec2-base", "wav2vec2", 94.4, 12, 768, _APACHE),
    Known("facebook/wav2vec2-large-xlsr-53", "wav2vec2", 315.4, 24, 1024, _APACHE),
    Known("facebook/wav2vec2-xls-r-300m", "wav2vec2", 315.4, 24, 1024, _APACHE),
    Known("facebook/hubert-base-ls960", "hubert", 94.4, 12, 768, _APACHE),
    Known("facebook/hubert-large-ll60k", "hubert", 315.4, 24, 1024, _APACHE),
    Known("microsoft/wavlm-base-plus", "wavlm", 94.4, 12, 768, "not stated on its page"),
    Known("microsoft/wavlm-large", "wavlm", 315.5, 24, 1024, "not stated on its page"),
    Known("facebook/data2vec-audio-base", "data2vec-audio", 93.2, 12, 768, _APACHE),
    Known("facebook/data2vec-audio-large", "data2vec-audio", 313.3, 24, 1024, _APACHE),
    Known("facebook/w2v-bert-2.0", "wav2vec2-bert", 580.5, 24, 1024, _MIT),
)
FRONT_ENDS: Registry[Known] = Registry("front end", *_BUNDLES, *_NAMES)
"""By what a stream calls them. Any other name at Hugging Face, and any folder in its layout, can be heard with too."""
