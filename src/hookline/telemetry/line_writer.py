"""Writes log lines without ever waiting for whoever reads them."""

from __future__ import annotations

import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

_BACKLOG_BYTES = 1024 * 1024
_POLL_SECONDS = 0.02
_NO_DESCRIPTOR = -1


class LineWriter:
    """Writes lines to a stream; what its reader does not take at once is kept up to a bound, then dropped and counted.

    A pipe whose reader stands still would block the writing process, and with it every delivery; one that is closed,
    or a full disk, would raise. Neither happens here. When lines flow again, `dropped_notice` is given how many were
    dropped so far, and makes the line that says so. Safe to call from several threads.
    """

    def __init__(self, stream: TextIO | None, dropped_notice: Callable[[int], str]) -> None:
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._dropped_notice = dropped_notice
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._written_of_first = 0
        self._notice_due = False
        self._line_torn = False
        # Reentrant, because a signal handler may log while its own thread is in here.
        self._lock = threading.RLock()
        self.dropped = 0

    def write(self, line: str) -> None:
        """Write one line, given without its end. Never raises for what the stream does, and never waits."""
        with self._lock:
            if self._descriptor == _NO_DESCRIPTOR:
                self._write_to_stream(line)
                return
            self._drain()
            if self._notice_due and not self._backlog:
                self._notice_due = False
                line = f"{self._dropped_notice(self.dropped)}\n{line}"
            self._queue(line)
            self._drain()

    def flush(self, timeout_seconds: float = 0.0) -> None:
        """Write what is kept back, for as long as the reader needs but no longer than the timeout."""
        deadline = time.monotonic() + timeout_seconds
        with self._lock:
            self._drain()
            while self._backlog and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                self._drain()

    def _queue(self, line: str) -> None:
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        if self._backlog_bytes + len(data) > _BACKLOG_BYTES:
            self._count_dropped(1)
            return
        if self._line_torn:
            data = b"\n" + data
            self._line_torn = False
        self._backlog.append(data)
        self._backlog_bytes += len(data)

    def _drain(self) -> None:
        try:
            while self._backlog and self._write_piece():
                pass
        except (OSError, ValueError):
            # Closed, gone or full: these lines are lost, later ones may not be.
            self._count_dropped(len(self._backlog))
            self._line_torn = self._written_of_first > 0
            self._written_of_first = 0
            self._backlog.clear()
            self._backlog_bytes = 0

    def _write_piece(self) -> bool:
        """Write some of the first line kept back; False when that would mean to wait. Raises OSError."""
        first = self._backlog[0]
        # A pipe takes this much without waiting when select says it is ready: documented at `select.PIPE_BUF`.
        piece = first[self._written_of_first : self._written_of_first + select.PIPE_BUF]
        if not select.select([], [self._descriptor], [], 0)[1]:
            return False
        try:
            self._written_of_first += os.write(self._descriptor, piece)
        except BlockingIOError:
            return False
        if self._written_of_first == len(first):
            self._backlog.popleft()
            self._backlog_bytes -= len(first)
            self._written_of_first = 0
        return True

    def _write_to_stream(self, line: str) -> None:
        if self._stream is None:
            return
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._count_dropped(1)

    def _count_dropped(self, lines: int) -> None:
        self.dropped += lines
        self._notice_due = True


def _descriptor(stream: TextIO | None) -> int:
    """The stream's file descriptor, `_NO_DESCRIPTOR` when it has none, as when output is captured."""
    try:
        return stream.fileno() if stream is not None else _NO_DESCRIPTOR
    except (OSError, ValueError):
        return _NO_DESCRIPTOR
