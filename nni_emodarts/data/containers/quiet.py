"""Keeps the lines of C libraries off standard error: libmpg123 writes of tags and frames that it finds odd."""

import ctypes
import platform
import threading


class _CStream:
    """The stream that C calls stderr, which can be exchanged for one that goes nowhere.

    Python's own standard error is another one: what the program says meanwhile, in whatever thread, is not lost.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._stream: ctypes.c_void_p | None = None
        self._shown: int | None = None
        if platform.libc_ver()[0] == "glibc":  # elsewhere it need not be a variable
            library = ctypes.CDLL(None)
            library.fopen.restype = ctypes.c_void_p
            self._nowhere = library.fopen(b"/dev/null", b"w")
            self._stream = ctypes.c_void_p.in_dll(library, "stderr") if self._nowhere else None

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1 and self._stream is not None:
                self._shown, self._stream.value = self._stream.value, self._nowhere

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if not self._depth and self._stream is not None:
                self._stream.value = self._shown


quiet = _CStream()
"""`with quiet:` around calls of libsndfile; threads may be in it at once."""
