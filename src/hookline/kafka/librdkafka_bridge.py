"""The way between the event loop's thread and the thread that owns the Kafka client.

The loop never blocks: it puts commands into a queue. The client's thread tells the loop things with
`call_soon_threadsafe`, in order, and where it must wait for an answer it runs commands meanwhile, so that neither side
can wait for the other.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from hookline.errors import KafkaRefused, SourceFatal, TopicMissing
from hookline.kafka.librdkafka_client import KafkaException
from hookline.kafka.librdkafka_errors import cause, translated
from hookline.kafka.trouble_log import TroubleLog

T = TypeVar("T")

_RETRY_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 1.0
_TOPIC_KNOWN_SECONDS = 60.0


class Stopped(Exception):
    """The source was stopped while the client's thread was waiting for something."""


class Bridge:
    """Commands one way, news and questions the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._commands: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self.stopping = False
        self._abandoned = threading.Event()
        self._question: Future[Any] | None = None
        self.turned_at = time.monotonic()
        """When the client's thread last came round, by the monotonic clock: if long ago, a call of the client hangs."""
        self.trouble = TroubleLog()

    def submit(self, command: Callable[[], object]) -> None:
        """On the loop's thread: have this run on the client's thread."""
        self._commands.put(command)

    def stop(self) -> None:
        """On the loop's thread: have the client's thread leave the group and end."""
        self.stopping = True
        self._commands.put(_nothing)

    def abandon(self) -> None:
        """On the loop's thread: as `stop`, and what the client's thread asks, or will ask, is answered by `Stopped`."""
        self._abandoned.set()
        self.stop()
        question = self._question
        if question is not None:
            question.cancel()

    def run_commands(self, wait_seconds: float = 0.0) -> None:
        """On the client's thread: run what was submitted, waiting so long for the first one."""
        self.turned_at = time.monotonic()
        try:
            command = self._commands.get(timeout=wait_seconds) if wait_seconds > 0 else self._commands.get_nowait()
            while True:
                command()
                command = self._commands.get_nowait()
        except Empty:
            return

    def tell(self, function: Callable[..., None], *arguments: Any) -> None:
        """On the client's thread: have this run on the loop's thread, after all that was told before."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            # The loop is closed, so nobody is left to be told.
            self.stopping = True

    def ask(self, question: Coroutine[Any, Any, T], bound_seconds: float) -> T:
        """On the client's thread: run a coroutine on the loop and wait for its answer, running commands meanwhile.

        Raises what it raises, `TimeoutError` when it takes longer, and `Stopped` when the loop is closed or does not
        answer any more.
        """
        if self._abandoned.is_set():
            question.close()
            raise Stopped
        try:
            answer = asyncio.run_coroutine_threadsafe(question, self._loop)
        except RuntimeError as error:
            question.close()
            raise Stopped from error
        answer.add_done_callback(lambda _: self._commands.put(_nothing))
        self._question = answer
        deadline = time.monotonic() + bound_seconds
        while not answer.done():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                answer.cancel()
                raise TimeoutError
            if self._abandoned.is_set():
                answer.cancel()
                break
            self.run_commands(min(remaining, _LONGEST_WAIT_SECONDS))
        if answer.cancelled():
            raise Stopped
        return answer.result()

    def insist(self, doing: str, call: Callable[[], T]) -> T:
        """On the client's thread: call the client until it answers, saying every few seconds why it doesn't.

        Raises `KafkaRefused` and `SourceFatal`, which more calls would not change, `TopicMissing` after a minute, since
        a topic just made is not known to every broker at once, and `Stopped`.
        """
        began = time.monotonic()
        while True:
            try:
                return call()
            except KafkaException as error:
                trouble = translated(cause(error), doing)
                hopeless = isinstance(trouble, TopicMissing) and time.monotonic() - began > _TOPIC_KNOWN_SECONDS
                if hopeless or isinstance(trouble, KafkaRefused | SourceFatal):
                    raise trouble from error
                self.trouble.say(doing, str(trouble))
            self.run_commands(_RETRY_SECONDS)
            if self.stopping:
                raise Stopped


def _nothing() -> None:
    """Wakes the client's thread."""
