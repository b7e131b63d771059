"""Whoever reads the log, or does not, the process that writes it goes on."""

from __future__ import annotations

import errno
import io
import os
import threading
from collections.abc import Iterator
from typing import TextIO

import pytest

from hookline.telemetry.line_writer import LineWriter


class Pipe:
    """A pipe with a text stream on its writing end, as the standard error output of a container is."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.stream: TextIO = os.fdopen(writing, "w", encoding="utf-8")
        os.set_blocking(self.reading, False)

    def read(self) -> bytes:
        parts = []
        while True:
            try:
                part = os.read(self.reading, 1 << 20)
            except BlockingIOError:
                break
            if not part:
                break
            parts.append(part)
        return b"".join(parts)

    def close_reader(self) -> None:
        os.close(self.reading)
        self.reading = -1

    def close(self) -> None:
        self.stream.close()
        if self.reading >= 0:
            os.close(self.reading)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def notice(dropped: int) -> str:
    return f"dropped {dropped}"


def test_lines_arrive_at_once_and_in_order(pipe):
    writer = LineWriter(pipe.stream, notice)
    writer.write("first")
    writer.write("zweite ⚡")
    assert pipe.read() == "first\nzweite ⚡\n".encode()


def test_a_line_longer_than_a_pipe_takes_at_once_arrives_whole(pipe):
    writer = LineWriter(pipe.stream, notice)
    writer.write("x" * 40_000)
    assert pipe.read() == b"x" * 40_000 + b"\n"


def test_a_reader_that_stands_still_is_not_waited_for_and_later_gets_what_was_kept(pipe):
    writer = LineWriter(pipe.stream, notice)
    lines = [f"{number:>99}" for number in range(2000)]
    for line in lines:
        writer.write(line)
    received = b""
    while more := pipe.read():
        received += more
        writer.flush()
    assert received.decode().splitlines() == lines
    assert writer.dropped == 0


def test_beyond_the_bound_lines_are_dropped_and_counted_and_the_log_says_so(pipe):
    writer = LineWriter(pipe.stream, notice)
    for number in range(20_000):
        writer.write(f"{number:>99}")
    assert writer.dropped > 0
    dropped = writer.dropped
    received = b""
    while more := pipe.read():
        received += more
        writer.flush()
    writer.write("back again")
    lines = (received + pipe.read()).decode().splitlines()
    assert lines[-2:] == [f"dropped {dropped}", "back again"]
    assert len(lines) == 20_000 - dropped + 2
    assert all(len(line) == 99 for line in lines[:-2])


def test_a_reader_that_is_gone_is_no_error(pipe):
    writer = LineWriter(pipe.stream, notice)
    pipe.close_reader()
    writer.write("into the void")
    writer.write("and again")
    assert writer.dropped == 2


def test_a_descriptor_that_was_closed_is_no_error(pipe, tmp_path):
    file = (tmp_path / "log").open("w")
    writer = LineWriter(file, notice)
    file.close()
    writer.write("into the void")
    assert writer.dropped == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")  # noqa: PTH110
def test_a_full_disk_is_no_error():
    with open("/dev/full", "w") as full:  # noqa: PTH123
        writer = LineWriter(full, notice)
        writer.write("no room")
        writer.write("no room")
        assert writer.dropped == 2


def test_a_line_that_broke_off_does_not_run_into_the_next(monkeypatch, tmp_path):
    real_write = os.write
    calls = iter(["some", "none"])

    def failing_write(descriptor: int, data: bytes) -> int:
        room = next(calls, "enough")
        if room == "none":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, data[:3] if room == "some" else data)

    path = tmp_path / "log"
    with path.open("w") as file:
        writer = LineWriter(file, notice)
        monkeypatch.setattr(os, "write", failing_write)
        writer.write("broken off")
        writer.write("whole")
    assert path.read_text() == "bro\ndropped 1\nwhole\n"


def test_without_a_stream_lines_go_nowhere():
    LineWriter(None, notice).write("nobody is there")


def test_a_captured_stream_gets_its_lines():
    captured = io.StringIO()
    LineWriter(captured, notice).write("captured")
    assert captured.getvalue() == "captured\n"


def test_lone_surrogates_can_be_written(pipe):
    LineWriter(pipe.stream, notice).write("a\ud800b")
    assert pipe.read() == b"a\\ud800b\n"


def test_threads_do_not_mix_their_lines(pipe):
    writer = LineWriter(pipe.stream, notice)
    words = ["a" * 200, "b" * 300, "c" * 250]

    def write_often(word: str) -> None:
        for _ in range(50):
            writer.write(word)

    threads = [threading.Thread(target=write_often, args=(word,)) for word in words]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    writer.flush(1.0)
    assert sorted(pipe.read().decode().splitlines()) == sorted(words * 50)


def test_flushing_for_a_reader_that_never_reads_ends_at_its_timeout(pipe):
    writer = LineWriter(pipe.stream, notice)
    for _ in range(1000):
        writer.write("x" * 200)
    writer.flush(0.05)
    assert len(pipe.read()) < 1000 * 201
