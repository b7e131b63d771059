"""Starting with librdkafka where no broker is: it waits and says so, or gives up and says why."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from tests.kafka.librdkafka_members import Listener, settings

from hookline.errors import KafkaUnavailable, WriteFailed
from hookline.kafka.librdkafka_sink import LibrdkafkaSink
from hookline.kafka.librdkafka_source import LibrdkafkaSource
from hookline.settings.policy import DeadLetter

NOWHERE = "127.0.0.1:1"


async def eventually(true: Callable[[], bool]) -> None:
    """Wait for something that no event tells of."""
    async with asyncio.timeout(15):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("server", [NOWHERE, "nowhere.invalid:9092"])
async def test_a_source_that_must_not_wait_says_which_servers_do_not_answer(server: str) -> None:
    source = LibrdkafkaSource(settings(server, "t"))
    with pytest.raises(KafkaUnavailable, match=rf"no broker answers at {server}.*check kafka\.servers"):
        await asyncio.wait_for(source.start(Listener()), 15)
    await source.stop()


async def test_a_server_that_never_answers_is_given_the_request_timeout(silent_port: int) -> None:
    source = LibrdkafkaSource(settings(f"127.0.0.1:{silent_port}", "t", request_timeout=1.0))
    with pytest.raises(KafkaUnavailable, match=f"no broker answers at 127.0.0.1:{silent_port}"):
        await asyncio.wait_for(source.start(Listener()), 15)
    await source.stop()


async def test_a_source_that_waits_says_so_and_can_be_stopped(caplog: pytest.LogCaptureFixture) -> None:
    source = LibrdkafkaSource(settings(NOWHERE, "t", when_unavailable="wait"))
    starting = asyncio.create_task(source.start(Listener()))
    await eventually(lambda: "waiting for Kafka: no broker answers" in caplog.text)
    began = time.monotonic()
    await asyncio.wait_for(source.stop(), 10)
    assert time.monotonic() - began < 5
    await asyncio.wait_for(starting, 5)


async def test_cancelling_a_start_leaves_no_thread_behind() -> None:
    source = LibrdkafkaSource(settings(NOWHERE, "t", when_unavailable="wait"))
    starting = asyncio.create_task(source.start(Listener()))
    await asyncio.sleep(0.2)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await asyncio.wait_for(source.stop(), 10)
    assert not any(thread.name == "hookline-kafka" for thread in threading.enumerate())


async def test_stopping_a_source_that_never_started_does_nothing() -> None:
    source = LibrdkafkaSource(settings(NOWHERE, "t"))
    await source.stop()
    await source.stop()


async def test_a_sink_that_must_not_wait_says_which_servers_do_not_answer() -> None:
    sink = LibrdkafkaSink(settings(NOWHERE, "t"), DeadLetter())
    with pytest.raises(KafkaUnavailable, match=rf"no broker answers at {NOWHERE}.*check kafka\.servers"):
        await asyncio.wait_for(sink.start(), 15)
    await sink.stop()


async def test_cancelling_the_start_of_a_sink_ends_its_waiting(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "hookline.kafka")
    sink = LibrdkafkaSink(settings(NOWHERE, "t", when_unavailable="wait"), DeadLetter())
    starting = asyncio.create_task(sink.start())
    await asyncio.sleep(0.2)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await eventually(lambda: all(thread.name != "hookline-kafka-sink" for thread in threading.enumerate()))


async def test_what_the_client_says_while_topics_are_looked_up_is_in_the_log_alone(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    sink = LibrdkafkaSink(settings(NOWHERE, "t", request_timeout=1.5), DeadLetter())
    with pytest.raises(KafkaUnavailable, match="looking up topic t"):
        await sink.partition_count("t")
    assert f"{NOWHERE}/bootstrap: Connect to" in caplog.text
    # By itself it would go on connecting, and say each second that it cannot.
    await eventually(lambda: all(thread.name != "hookline-kafka-admin" for thread in threading.enumerate()))
    assert capfd.readouterr().err == ""
    await sink.stop()


async def test_stopping_a_sink_ends_its_looking_up_of_a_topic(silent_port: int) -> None:
    sink = LibrdkafkaSink(settings(f"127.0.0.1:{silent_port}", "t", request_timeout=60.0), DeadLetter())
    asking = asyncio.create_task(sink.partition_count("t"))
    await eventually(lambda: any(thread.name == "hookline-kafka-admin" for thread in threading.enumerate()))
    await sink.stop()
    with pytest.raises(KafkaUnavailable, match="stopped"):
        await asyncio.wait_for(asking, 5)
    await eventually(lambda: all(thread.name != "hookline-kafka-admin" for thread in threading.enumerate()))


async def test_a_sink_that_was_not_started_writes_nothing() -> None:
    sink = LibrdkafkaSink(settings(NOWHERE, "t"), DeadLetter())
    with pytest.raises(WriteFailed, match="not running"):
        await sink.write("t", None, DeadLetterOf(b"value"))


class DeadLetterOf:
    """The least that a sink writes."""

    key = None
    headers = ()
    timestamp = 0

    def __init__(self, value: bytes) -> None:
        self.value = value
