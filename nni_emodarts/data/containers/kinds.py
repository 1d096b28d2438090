"""What a file is that libsndfile does not read: named by its first bytes, with the remedy that fits."""

import os
import re
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO, NamedTuple

HEAD = 4096
"""Bytes from a file's beginning by which it is known."""
SMALL = 4096
"""A file that stands for a recording (a pointer, an error page, nothing at all) is mostly smaller."""

CONVERT = "convert it to WAV or FLAC, such as by ffmpeg; another suffix alone changes nothing"
UNPACK = "unpack it, and name the files inside"
AGAIN = "download it again, and look at what its page says"
REPLACE = "put the recording in its place"


class Sign(NamedTuple):
    """How a kind of file begins.

    Attributes:
        pattern: what it looks like from its first byte on.
        kind: what it is.
        remedy: what to do about it.
    """

    pattern: re.Pattern[bytes]
    kind: str
    remedy: str


def _sign(pattern: bytes, kind: str, remedy: str = CONVERT) -> Sign:
    return Sign(re.compile(pattern, re.DOTALL | re.IGNORECASE if kind.endswith("page") else re.DOTALL), kind, remedy)


SIGNS = (
    _sign(rb"version https://git-lfs", "a Git LFS pointer", "fetch what it points to by git lfs pull"),
    _sign(rb"/annex/objects/|(\.\./)*\.git/annex/", "a git-annex pointer", "fetch what it points to by git annex get"),
    _sign(rb"\s*(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body|\?php)", "a web page", AGAIN),
    _sign(rb"(\xef\xbb\xbf)?\s*<\?xml|(\xef\xbb\xbf)?\s*<[A-Za-z]", "an XML file", AGAIN),
    _sign(rb"....ftyp(M4[AB]|mp4a)", "AAC or ALAC in an MP4 file (.m4a)"),
    _sign(rb"....ftypqt|....(moov|mdat|wide|free|skip)", "a QuickTime file (.mov)"),
    _sign(rb"....ftyp3g", "a 3GP file"),
    _sign(rb"....ftyp(hei|mif|avif)", "an image", REPLACE),
    _sign(rb"....ftyp", "an MP4 file"),
    _sign(rb"\x1aE\xdf\xa3.{0,64}webm", "a WebM file"),
    _sign(rb"\x1aE\xdf\xa3", "a Matroska file (.mkv, .mka)"),
    _sign(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "Windows Media (.wma, .wmv)"),
    _sign(rb"#!AMR", "AMR, a telephone's codec"),
    _sign(rb"\x02?#!SILK", "SILK, a messenger's codec"),
    _sign(rb"ADIF|\xff[\xf0\xf1\xf8\xf9]|\x56[\xe0-\xff]", "AAC"),
    _sign(rb"\x0b\x77", "Dolby Digital (AC-3)"),
    _sign(rb"\x7f\xfe\x80\x01|\xfe\x7f\x01\x80", "DTS"),
    _sign(rb"RIFF....AVI ", "an AVI file"),
    _sign(rb"FLV\x01", "a Flash video (.flv)"),
    _sign(rb"\x00\x00\x01[\xba\xb3]|G.{187}G", "an MPEG video"),
    _sign(rb"\.ra\xfd|\.RMF", "RealAudio"),
    _sign(rb"MAC ", "Monkey's Audio (.ape)"),
    _sign(rb"wvpk", "WavPack"),
    _sign(rb"TTA[12]", "True Audio (.tta)"),
    _sign(rb"MPCK|MP\+", "Musepack"),
    _sign(rb"DSD |FRM8", "DSD"),
    _sign(rb"ajkg", "Shorten"),
    _sign(rb"NIST_1A.{0,1024}(shorten|wavpack)", "a compressed SPHERE file", "unpack it by w_decode or sph2pipe"),
    _sign(rb"OggS.{24,40}Speex", "Speex in Ogg"),
    _sign(rb"OggS.{24,40}(\x80theora|BBCD|\x01video|fishead)", "an Ogg video"),
    _sign(rb"MThd", "MIDI: notes, no sound", REPLACE),
    _sign(rb"PK[\x03\x05]", "a ZIP archive", UNPACK),
    _sign(rb"Rar!", "a RAR archive", UNPACK),
    _sign(rb"7z\xbc\xaf", "a 7z archive", UNPACK),
    _sign(rb"\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|\x1f\x9d", "a compressed file (gz, bz2, xz, zst)", UNPACK),
    _sign(rb".{257}ustar", "a tar archive", UNPACK),
    _sign(rb"%PDF", "a PDF document", REPLACE),
    _sign(rb"\x89PNG|\xff\xd8\xff|GIF8|BM....\0\0\0\0|II\*\0|MM\0\*", "an image", REPLACE),
    _sign(rb"\xd0\xcf\x11\xe0|\{\\rtf", "an Office document", REPLACE),
    _sign(rb"\x93NUMPY", "a NumPy array (.npy)", "write its samples as WAV"),
    _sign(rb"\x89HDF", "an HDF5 file", "write its samples as WAV"),
    _sign(rb"PAR1|ARROW1", "a Parquet or Arrow table", "write its recordings as files"),
    _sign(rb"SQLite format 3", "an SQLite database", REPLACE),
    _sign(rb"bplist00", "a property list of macOS", "fetch what it stands for, in the Finder"),
    _sign(rb"\x00\x05\x16[\x00\x07]", "notes of macOS (AppleDouble)", "remove its line from the manifest"),
    _sign(rb"L\x00\x00\x00\x01\x14\x02\x00", "a shortcut of Windows", "name the file that it leads to"),
    _sign(rb"\x7fELF|MZ.{58}", "a program", REPLACE),
)
"""Kinds, the narrower before the wider."""
WAVE_FORMATS = (1, 2, 3, 6, 7, 0x11, 0x31, 0x50, 0x55, 0xFFFE)
"""Numbers of encodings in WAV files that libsndfile decodes."""
_WAVE = re.compile(rb"RIFF....WAVE.{0,256}?fmt ....(..)", re.DOTALL)
AUDIO = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"fLaC", b"OggS", b"caff", b".snd", b"NIST_1A", b"ID3")
"""How recordings begin that may be damaged."""
_BLANK = re.compile(rb"\0+")
_TEXT = re.compile(rb"[\t\n\r\f\x20-\x7e\x80-\xff]+")


def absence(path: Path) -> str | None:
    """Why there is no file to open; None where there is one."""
    try:
        if path.is_file():
            return None
        if path.is_dir():
            return "is a folder; name its files"
        if path.exists():
            return "is no regular file; save it first"
        if path.is_symlink():
            return _dangling(str(path.readlink()))
    except OSError as error:  # of a folder that may not be entered, say
        return f"cannot be reached ({error.strerror}); correct its name or its folder's permissions"
    return "no such file; correct its name"


def _dangling(target: str) -> str:
    remedy = "fetch what it leads to by git annex get" if ".git/annex/" in target else "mend the link"
    return f"is a link to {target}, which is not there; {remedy}"


def stand_in(path: Path) -> str | None:
    """What a small file is that stands where a recording should, with the remedy; None where it may be one.

    Larger files are not opened, so that a corpus is looked through at once.
    """
    try:
        return identify(path) if path.is_file() and path.stat().st_size <= SMALL else None
    except OSError:
        return None


def identify(source: Path | BinaryIO) -> str | None:
    """What a file is that cannot be decoded, with the remedy; None where that is not known.

    Raises:
        OSError: it cannot be read.
    """
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        return _identify(stream.read(HEAD), size)


def _identify(head: bytes, size: int) -> str | None:
    if not size:
        return "is empty (0 bytes); copy it again or leave it out"
    for sign in SIGNS:
        if sign.pattern.match(head):
            what = "which cannot be decoded here" if sign.remedy == CONVERT else "no recording"
            return f"is {sign.kind}, {what}; {sign.remedy}"
    if (wave := _WAVE.match(head)) and (number := int.from_bytes(wave[1], "little")) not in WAVE_FORMATS:
        return f"is a WAV file of an encoding (0x{number:04X}) that cannot be decoded here; {CONVERT}"
    if _BLANK.fullmatch(head):
        return "holds nothing but zeros where its header should be; copy it again"
    if _TEXT.fullmatch(head) and _is_text(head) and not head.startswith(AUDIO):
        beginning = " ".join(head[:120].decode(errors="replace").split())[:40]
        return f"is a text ({beginning!r}); {REPLACE}"
    return None


def _is_text(head: bytes) -> bool:
    try:
        head[:-4].decode()  # the last letter may be cut
    except UnicodeDecodeError:
        return False
    return True
