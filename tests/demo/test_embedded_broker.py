"""The embedded broker starts on a free port, takes records and gives them back, and leaves nothing behind."""

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hookline.demo import embedded_broker
from hookline.demo.cluster import Cluster
from hookline.demo.embedded_broker import EmbeddedBroker, has_embedded_broker
from hookline.demo.kafka_node import free_ports
from hookline.demo.session_producer import SessionProducer
from hookline.errors import KafkaError, KafkaUnavailable

pytestmark = pytest.mark.skipif(not has_embedded_broker(), reason="the wheel has no build for this platform")


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - what is waited for has no event
        await asyncio.sleep(0.01)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


async def test_it_takes_records_and_gives_them_back(folder):
    async with EmbeddedBroker() as broker:
        cluster = Cluster(broker.bootstrap)
        await cluster.create_topic("sessions", 4)
        producer = SessionProducer(
            broker.bootstrap,
            "sessions",
            seed=7,
            rate=5000,
            records=1000,
            seconds=None,
            malformed=True,
            idempotent=False,
        )
        await producer.start()
        await asyncio.wait_for(producer.run(), 60)
        await producer.stop()
        found = await cluster.dead_letters(["sessions"])
        assert sorted(record.session for record in found) == sorted(session.id for session in producer.produced)
        assert sum(producer.end_offsets.values()) == 1000
        assert await cluster.committed_offsets("nobody", "sessions", 4) == dict.fromkeys(range(4), 0)
        with pytest.raises(KafkaError, match=r"sessions was not created: .*exists"):
            await cluster.create_topic("sessions", 4)
        assert await cluster.remove(["sessions", "never-there"], "nobody") == []
    assert list(folder.iterdir()) == []


async def test_a_producer_stops_when_it_is_asked_to_and_its_records_are_all_acknowledged(folder):
    async with EmbeddedBroker() as broker:
        await Cluster(broker.bootstrap).create_topic("sessions", 4)
        producer = SessionProducer(
            broker.bootstrap, "sessions", seed=7, rate=1000, records=None, seconds=60, malformed=False, idempotent=False
        )
        await producer.start()
        running = asyncio.create_task(producer.run())
        await asyncio.wait_for(until(lambda: producer.produced), 30)
        producer.request_stop()
        await asyncio.wait_for(running, 30)
        await producer.stop()
        assert sum(producer.end_offsets.values()) == len(producer.produced) < 60_000


async def test_a_port_that_somebody_takes_first_is_left_to_them(folder, monkeypatch):
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    taken = server.sockets[0].getsockname()[1]
    free = free_ports(1)[0]
    ports = iter([[taken], [free]])
    monkeypatch.setattr(embedded_broker, "free_ports", lambda _count: next(ports))
    async with server, EmbeddedBroker() as broker:
        assert broker.bootstrap == f"127.0.0.1:{free}"


async def test_a_broker_that_does_not_start_is_told_with_what_it_said(folder, monkeypatch):
    program = folder / "program"
    program.write_text("#!/bin/sh\necho it has no such option\nexit 1\n")
    program.chmod(0o700)
    monkeypatch.setattr(embedded_broker, "_executable", lambda _folder: Path(program))
    with pytest.raises(KafkaUnavailable, match="it has no such option"):
        async with EmbeddedBroker():
            pass
    assert list(folder.iterdir()) == [program]
