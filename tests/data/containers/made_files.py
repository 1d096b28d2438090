"""Recordings whose bytes are cut, joined and changed."""

import io
import struct

import numpy as np
import soundfile

RATE = 16000
WAV, RF64, W64, AIFF, CAF, AU, NIST = "WAV", "RF64", "W64", "AIFF", "CAF", "AU", "NIST"
CONTAINERS = [
    (WAV, "PCM_16"), (WAV, "PCM_24"), (WAV, "FLOAT"), (WAV, "ULAW"), ("WAVEX", "PCM_16"), (RF64, "PCM_16"),
    (W64, "PCM_16"), (AIFF, "PCM_16"), (AIFF, "FLOAT"), (CAF, "PCM_16"), (AU, "PCM_16"), (NIST, "PCM_16"),
    ("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"),
]  # fmt: skip


def buzz(seconds: float, seed: int = 0, rate: int = RATE, channels: int = 1) -> np.ndarray:
    """A buzz in noise, loud and soft by turns, so that bit rates vary; (S,) or (S, channels)."""
    time = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(seed)
    loud = np.where(time % 0.5 < 0.25, 0.3, 1e-4)
    sound = loud * (np.sin(2 * np.pi * (150 + 20 * seed) * time) + rng.uniform(-1, 1, len(time))) / 2
    return sound if channels == 1 else np.stack([sound * (0.5 + number) for number in range(channels)], 1) / channels


def encode(samples: np.ndarray, kind: str, subtype: str, rate: int = RATE, **options: object) -> bytes:
    """Samples as a file's bytes."""
    stream = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with soundfile.SoundFile(stream, "w", rate, channels, subtype, format=kind, **options) as file:
        file.write(samples)
    return stream.getvalue()


def mp3(samples: np.ndarray, mode: str = "VARIABLE", rate: int = RATE) -> bytes:
    """Samples as MP3, with LAME's tag."""
    return encode(samples, "MP3", "MPEG_LAYER_III", rate, bitrate_mode=mode, compression_level=0.4)


def frames_of(data: bytes, first: int = 0) -> list[tuple[int, int]]:
    """Where the frames of MP3 (MPEG-2, layer III, of 16 and 22 kHz) begin and end."""
    bitrates = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
    found = []
    while first < len(data):
        assert data[first] == 0xFF
        assert data[first + 1] & 0xFE == 0xF2
        rate = (22050, 24000, 16000)[data[first + 2] >> 2 & 3]
        size = 72000 * bitrates[data[first + 2] >> 4] // rate + (data[first + 2] >> 1 & 1)
        found.append((first, first + size))
        first += size
    return found


def without_tag(data: bytes) -> bytes:
    """MP3 without the frame that says how many there are."""
    return data[frames_of(data)[0][1] :]


def decoded(data: bytes) -> np.ndarray:
    """What libsndfile alone makes of a file, (S, channels) float32."""
    samples: np.ndarray = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)[0]
    return samples


def with_size(data: bytes, kind: str, size: int) -> bytes:
    """A file whose header states that many bytes of samples (of FLAC: samples)."""
    in_wav, in_w64 = data.find(b"data"), data.find(b"data\xf3\xac\xd3\x11")
    fields: dict[str, tuple[tuple[str, int, int], ...]] = {
        WAV: (("<I", in_wav + 4, size), ("<I", 4, in_wav + size)),
        RF64: (("<Q", 28, size),),
        W64: (("<Q", in_w64 + 16, size + 24),),
        AIFF: ((">I", data.find(b"SSND") + 4, size + 8), (">I", 22, size // 2)),
        CAF: ((">q", in_wav + 4, size + 4),),
        AU: ((">I", 8, size),),
        "FLAC": ((">Q", 18, int.from_bytes(data[18:26], "big") >> 36 << 36 | size),),
    }
    changed = bytearray(data)
    for form, place, value in fields["WAV" if kind == "WAVEX" else kind]:
        struct.pack_into(form, changed, place, value)
    return bytes(changed)


def flac_in_ogg(data: bytes) -> bytes:
    """FLAC in pages of Ogg, as the mapping to it says; check sums are left out."""
    place, blocks = 4, []
    while True:
        size = int.from_bytes(data[place + 1 : place + 4], "big")
        blocks.append(data[place : place + 4 + size])
        place += 4 + size
        if blocks[-1][0] & 0x80:
            break
    first = b"\x7fFLAC\x01\x00" + struct.pack(">H", len(blocks) - 1) + b"fLaC" + blocks[0]
    audio = [data[at : at + 5000] for at in range(place, len(data), 5000)]  # packets need not be frames to be joined
    return b"".join(page(body, number, 2 * (number == 0)) for number, body in enumerate([first, *blocks[1:], *audio]))


def page(body: bytes, number: int, flags: int) -> bytes:
    """A page of Ogg."""
    segments = bytes([255] * (len(body) // 255) + [len(body) % 255])
    return struct.pack("<4sBBqIIIB", b"OggS", 0, flags, 0, 7, number, 0, len(segments)) + segments + body
