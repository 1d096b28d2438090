"""Speech-like utterances by source-filter synthesis: who speaks, in which manner, and the sound of it.

Sources
    Which way the correlates go: K. R. Scherer, "Vocal communication of emotion: A review of research paradigms",
    Speech Communication 40(1-2), 2003, 227-256, doi:10.1016/S0167-6393(02)00084-5; P. N. Juslin and P. Laukka,
    "Communication of emotions in vocal expression and music performance: Different channels, same code?",
    Psychological Bulletin 129(5), 2003, 770-814, doi:10.1037/0033-2909.129.5.770. How far they go, and the accent and
    energy peak of each syllable, are choices of this module.
    The voice source (KLGLOTT88: open quotient, tilt, aspiration): D. H. Klatt and L. C. Klatt, "Analysis, synthesis,
    and perception of voice quality variations among female and male talkers", Journal of the Acoustical Society of
    America 87(2), 1990, 820-857, doi:10.1121/1.398894.
    The cascade of resonators: D. H. Klatt, "Software for a cascade/parallel formant synthesizer", ibid. 67(3), 1980,
    971-995, doi:10.1121/1.383940.
    The vowels: G. E. Peterson and H. L. Barney, "Control methods used in a study of the vowels", ibid. 24(2), 1952,
    175-184, doi:10.1121/1.1906875.
"""

from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, lfilter, resample_poly, sosfilt

from nni_emodarts.data.corpora.manners import EMOTIONS, SPREAD, Manner

Floats = NDArray[np.float64]

SAMPLING_RATE = 16000
"""In Hz."""
FRAME = 80
"""Samples between two values of a control track: 5 ms."""
OVERSAMPLING = 4
"""Of the voice source, whose closures have a bandwidth beyond the sampling rate's."""
SILENCE = -70.0
"""Level in dB of a source that is off."""
EDGE = 0.08
"""Seconds of background before and after the speech."""
ONSET = 0.3
"""Share of a syllable that its consonant takes."""


@dataclass(frozen=True)
class Speaker:
    """A voice and the channel that it is recorded through."""

    name: str
    gender: str
    pitch: float
    """Mean fundamental frequency in Hz when neutral."""
    tract: float
    """Ratio of the formants to an adult man's; the inverse of the vocal tract's length."""
    rate: float
    """Syllables per second when neutral."""
    expressivity: float
    """Factor on every emotion's distance from neutral."""
    level: float
    """Mean level in dB of full scale: loudness and gain of the microphone."""
    open_quotient: float
    tilt: float
    """Loss of the voice source at 3 kHz in dB."""
    breath: float
    """Level of aspiration in dB, relative to the voice."""
    colour: float
    """Coefficient of the microphone's first-order tilt; positive is dull, negative is bright."""
    noise: float
    """Level of the background in dB of full scale."""


class Consonant(NamedTuple):
    """Noise in a band, and the voice that goes on below it."""

    low: float
    """Lower edge of the noise in Hz."""
    high: float
    """Upper edge of the noise in Hz."""
    noise: float
    """Level of the noise in dB, relative to a vowel."""
    voice: float
    """Level of the voice in dB, relative to a vowel."""
    burst: bool
    """A stop: closed until its last third."""


class Syllable(NamedTuple):
    """A consonant and a vowel."""

    consonant: Consonant
    vowel: tuple[float, float, float]
    ends_word: bool


VOWELS = (
    (270.0, 2290.0, 3010.0),  # heed
    (530.0, 1840.0, 2480.0),  # head
    (660.0, 1720.0, 2410.0),  # had
    (730.0, 1090.0, 2440.0),  # father
    (570.0, 840.0, 2410.0),  # hawed
    (300.0, 870.0, 2240.0),  # who'd
    (640.0, 1190.0, 2390.0),  # hud
)
"""First three formants in Hz of men's vowels (Peterson and Barney 1952, table II)."""

UPPER_FORMANTS = (3500.0, 4500.0)
"""Fourth and fifth formant in Hz, those of a uniform tube of 17.5 cm."""

BANDWIDTHS = np.array([60.0, 90.0, 150.0, 200.0, 250.0])
"""Bandwidths of the formants in Hz, of the size that Klatt (1980) gives for vowels."""

CONSONANTS = (
    Consonant(4500.0, 7500.0, -16.0, SILENCE, burst=False),  # as in see
    Consonant(2000.0, 5500.0, -14.0, SILENCE, burst=False),  # she
    Consonant(1000.0, 7000.0, -26.0, SILENCE, burst=False),  # fee
    Consonant(3000.0, 6500.0, -12.0, SILENCE, burst=True),  # tea
    Consonant(1200.0, 2800.0, -12.0, SILENCE, burst=True),  # key
    Consonant(400.0, 1600.0, -16.0, -22.0, burst=True),  # bee
    Consonant(3500.0, 7000.0, -22.0, -12.0, burst=False),  # zoo
    Consonant(200.0, 2500.0, -45.0, -10.0, burst=False),  # no
    Consonant(200.0, 2500.0, -45.0, -6.0, burst=False),  # low
)
"""Noise-like and voiced consonants, after the classes of English ones."""


class Timing(NamedTuple):
    """Where each frame lies, (frames,)."""

    time: Floats
    """Seconds since the beginning."""
    syllable: NDArray[np.intp]
    """Syllable that it belongs to."""
    position: Floats
    """Place in the syllable: 0 to 1, below or above in a silence."""
    within: Floats
    """Place in the syllable's vowel: 0 to 1."""


class Tracks(NamedTuple):
    """What the synthesiser follows: one value every `FRAME` samples."""

    pitch: Floats
    """Fundamental frequency in Hz, (frames,)."""
    voice: Floats
    """Amplitude of the voice, (frames,)."""
    noise: Floats
    """Amplitude of each consonant's noise, (consonants, frames)."""
    formants: Floats
    """Formants in Hz, (frames, 5)."""


def say(speaker: int, emotion: str, utterance: int, seed: int = 0) -> NDArray[np.int16]:
    """One utterance.

    Args:
        speaker: number of the speaker, from 0.
        emotion: a key of `EMOTIONS`.
        utterance: number of the utterance, from 0; also that of its sentence.
        seed: of the corpus.

    Returns:
        Samples of shape (T,), at 16 kHz.
    """
    rng = _own_generator(speaker, emotion, utterance, seed)
    voice = draw_speaker(speaker, seed)
    manner = _draw_manner(emotion, voice.expressivity, rng)
    tracks = _perform(_draw_sentence(utterance, seed), voice, manner, rng)
    return _record(_articulate(tracks, voice, manner, rng), voice, manner, rng)


def manner_of(speaker: int, emotion: str, utterance: int, seed: int = 0) -> Manner:
    """How an utterance is said; arguments as for `say`."""
    voice = draw_speaker(speaker, seed)
    return _draw_manner(emotion, voice.expressivity, _own_generator(speaker, emotion, utterance, seed))


def draw_speaker(number: int, seed: int = 0) -> Speaker:
    """The speaker of a number, from 0: even ones are male, odd ones female."""
    rng = _generator(seed, 0, number)
    male = number % 2 == 0
    return Speaker(
        name=f"{number + 1:02d}",
        gender="male" if male else "female",
        pitch=rng.uniform(95, 140) if male else rng.uniform(175, 235),
        tract=rng.uniform(0.93, 1.05) if male else rng.uniform(1.09, 1.21),
        rate=rng.uniform(4.4, 5.0),
        expressivity=rng.uniform(0.8, 1.2),
        level=rng.uniform(-34, -26),
        open_quotient=rng.uniform(0.5, 0.6) if male else rng.uniform(0.55, 0.65),
        tilt=rng.uniform(3, 11),
        breath=rng.uniform(-34, -24),
        colour=rng.uniform(-0.4, 0.4),
        noise=rng.uniform(-74, -58),
    )


def _own_generator(speaker: int, emotion: str, utterance: int, seed: int) -> np.random.Generator:
    """The random numbers of an utterance, of which its manner takes the first."""
    return _generator(seed, 2, speaker, list(EMOTIONS).index(emotion), utterance)


def _generator(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _draw_manner(emotion: str, expressivity: float, rng: np.random.Generator) -> Manner:
    neutral, target, spread = (np.array(astuple(m)) for m in (EMOTIONS["neutral"], EMOTIONS[emotion], SPREAD))
    return Manner(*rng.normal(neutral + expressivity * (target - neutral), spread).tolist())


def _draw_sentence(number: int, seed: int) -> list[Syllable]:
    rng = _generator(seed, 1, number)
    return [
        Syllable(CONSONANTS[rng.integers(len(CONSONANTS))], VOWELS[rng.integers(len(VOWELS))], rng.random() < 0.5)
        for _ in range(rng.integers(5, 8))
    ]


def _perform(sentence: list[Syllable], speaker: Speaker, manner: Manner, rng: np.random.Generator) -> Tracks:
    """Give a sentence its timing, melody and dynamics."""
    n = len(sentence)
    durations = rng.lognormal(0.0, 0.12, n) / (speaker.rate * np.exp(manner.rate))
    durations[-1] *= 1.25  # phrase-final lengthening
    pauses = (rng.random(n) < manner.pausing) * [s.ends_word for s in sentence] * max(manner.pause, 0.05)
    pauses[-1] = 0.0
    ends = EDGE + np.cumsum(durations + pauses) - pauses
    time = np.arange(0.0, ends[-1] + EDGE, FRAME / SAMPLING_RATE)
    index = np.minimum(np.searchsorted(ends + pauses, time, side="right"), n - 1)
    position = 1 + (time - ends[index]) / durations[index]  # in the syllable: below 0 or above 1 in a silence
    within = np.clip((position - ONSET) / (1 - ONSET), 0.0, 1.0)  # in the vowel
    elapsed = time / time[-1]
    timing = Timing(time, index, position, within)
    return Tracks(
        pitch=_melody(timing, speaker, manner, rng),
        voice=_dynamics(sentence, timing, manner, rng) * _gain(manner.fade * (elapsed - 0.5)),
        noise=_frication(sentence, timing),
        formants=_formants(sentence, timing, speaker),
    )


def _melody(timing: Timing, speaker: Speaker, manner: Manner, rng: np.random.Generator) -> Floats:
    time, index, _, within = timing
    targets = rng.normal(0.0, max(manner.span, 0.0), index[-1] + 1)
    line = targets[index] + manner.accent * (within - 0.5) + manner.drift * (time / time[-1] - 0.5)
    tremor = manner.tremor * np.sin(2 * np.pi * (rng.uniform(4.5, 6.0) * time + rng.random()))
    jitter = rng.normal(0.0, max(manner.jitter, 0.0), len(time))
    semitones = manner.pitch + _smooth(line, 3.0) + tremor + jitter
    return np.clip(speaker.pitch * 2 ** (semitones / 12), 60.0, 500.0)


def _dynamics(sentence: list[Syllable], timing: Timing, manner: Manner, rng: np.random.Generator) -> Floats:
    _, index, position, within = timing
    peak = np.clip(manner.peak, 0.03, 0.9)
    away = np.where(within < peak, (peak - within) / peak, (within - peak) / (1 - peak))
    stress = rng.normal(0.0, max(manner.stress, 0.0), len(sentence))[index]
    consonant = np.array([s.consonant.voice for s in sentence])[index]
    level = np.where(position < ONSET, consonant, -max(manner.depth, 0.0) * away) + stress
    return _smooth(_gain(np.where((position < 0) | (position >= 1), SILENCE, level)), 1.5)


def _frication(sentence: list[Syllable], timing: Timing) -> Floats:
    index, onset = timing.syllable, timing.position / ONSET
    noise = np.zeros((len(CONSONANTS), len(index)))
    for row, consonant in enumerate(CONSONANTS):
        spoken = np.array([s.consonant is consonant for s in sentence])[index]
        begin, end = (0.67, 1.1) if consonant.burst else (0.0, 1.0)
        noise[row] = spoken * (begin <= onset) * (onset < end) * _gain(consonant.noise)
    return _smooth(noise.T, 1.0).T


def _formants(sentence: list[Syllable], timing: Timing, speaker: Speaker) -> Floats:
    targets = np.array([(*s.vowel, *UPPER_FORMANTS) for s in sentence])
    return speaker.tract * _smooth(targets[timing.syllable], 6.0)  # coarticulation


def _articulate(tracks: Tracks, speaker: Speaker, manner: Manner, rng: np.random.Generator) -> Floats:
    """Speech as it leaves the mouth: the source through the vocal tract, and the consonants' noise."""
    source = _voice_source(tracks.pitch, speaker, manner, rng) * _per_sample(tracks.voice)
    speech = _vocal_tract(source, tracks.formants)
    speech /= speech.std()
    for consonant, amplitude in zip(CONSONANTS, tracks.noise, strict=True):
        if amplitude.any():
            band = butter(2, (consonant.low, consonant.high), "bandpass", fs=SAMPLING_RATE, output="sos")
            noise = sosfilt(band, rng.standard_normal(len(speech)))
            speech += 2 * noise / noise.std() * _per_sample(amplitude)
    return speech


def _voice_source(pitch: Floats, speaker: Speaker, manner: Manner, rng: np.random.Generator) -> Floats:
    """Derivative of the glottal flow (KLGLOTT88) and aspiration noise, at unit level."""
    phase = np.cumsum(np.repeat(_per_sample(pitch), OVERSAMPLING)) / (OVERSAMPLING * SAMPLING_RATE)
    open_quotient = np.clip(speaker.open_quotient + manner.open_quotient, 0.35, 0.85)
    opening = (phase % 1.0) / open_quotient
    cycle = phase.astype(np.intp)
    shimmer = _gain(rng.normal(0.0, max(manner.shimmer, 0.0), cycle[-1] + 1))[cycle]
    pulses = np.where(opening < 1, 2 * opening - 3 * opening**2, 0.0) * shimmer
    voice: Floats = _tilt(resample_poly(pulses, 1, OVERSAMPLING), speaker.tilt + manner.tilt)
    aspiration = rng.standard_normal(len(voice)) * np.where(opening[::OVERSAMPLING] < 1, 1.0, 0.5)
    source: Floats = voice / voice.std() + _gain(speaker.breath + manner.breath) * aspiration
    return source


def _tilt(samples: Floats, loss: float) -> Floats:
    """One-pole low-pass that loses `loss` dB at 3 kHz."""
    power, cosine = 10 ** (max(loss, 0.0) / 10), np.cos(2 * np.pi * 3000 / SAMPLING_RATE)
    pole = (power - 1) / (power - cosine + np.sqrt((power - cosine) ** 2 - (power - 1) ** 2))
    tilted: Floats = lfilter([1 - pole], [1, -pole], samples)
    return tilted


def _vocal_tract(source: Floats, formants: Floats) -> Floats:
    """Five resonators in cascade, retuned every frame; their state goes on from frame to frame."""
    radius = np.exp(-np.pi * BANDWIDTHS / SAMPLING_RATE)
    a1, a2 = -2 * radius * np.cos(2 * np.pi * formants / SAMPLING_RATE), np.broadcast_to(radius**2, formants.shape)
    zeros = np.zeros_like(a1)
    sections = np.stack([1 + a1 + a2, zeros, zeros, zeros + 1, a1, a2], axis=-1)  # unit gain at 0 Hz
    state, frames = np.zeros((len(BANDWIDTHS), 2)), []
    for section, frame in zip(sections, source.reshape(-1, FRAME), strict=True):
        samples, state = sosfilt(section, frame, zi=state)
        frames.append(samples)
    return np.concatenate(frames)


def _record(speech: Floats, speaker: Speaker, manner: Manner, rng: np.random.Generator) -> NDArray[np.int16]:
    """The recording: the microphone's colour and gain, the background, 16 bit."""
    coloured = lfilter([1.0, speaker.colour + rng.normal(0.0, 0.2)], [1.0], speech)
    coloured *= _gain(speaker.level + manner.level) / coloured.std()
    background = lfilter([1.0], [1.0, -0.9], rng.standard_normal(len(speech)))
    samples = coloured + _gain(speaker.noise) * background / background.std()
    samples *= min(1.0, 0.9 / np.abs(samples).max())
    recording: NDArray[np.int16] = np.round(32767 * samples).astype(np.int16)
    return recording


def _per_sample(track: Floats) -> Floats:
    """A control track of (frames,) at every sample, (frames * FRAME,)."""
    return np.interp(np.arange(len(track) * FRAME) / FRAME, np.arange(len(track)), track)


def _smooth(track: Floats, width: float) -> Floats:
    """A control track, (frames, …), under a Gaussian of a standard deviation of `width` frames."""
    smooth: Floats = gaussian_filter1d(track, width, axis=0, mode="nearest")
    return smooth


def _gain(level: float | Floats) -> Floats:
    """Amplitude of a level in dB."""
    return np.asarray(10.0 ** (np.asarray(level) / 20))
