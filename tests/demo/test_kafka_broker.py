"""The real Kafka that the demo, tests and benchmarks start."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from hookline.demo import kafka_broker, kafka_node
from hookline.demo.kafka_broker import BrokerTls, KafkaBroker, Listener
from hookline.demo.kafka_node import cluster_of, free_ports
from hookline.errors import KafkaUnavailable

pytestmark = pytest.mark.kafka


async def make_topic(bootstrap: str, replicas: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic("events", 1, replicas)])
        assert answer.topic_errors[0][1] == 0
    finally:
        await admin.close()


async def write(bootstrap: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait("events", value)


async def read(bootstrap: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer("events", bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_data_and_address_stay_through_a_stop_and_a_crash_and_are_gone_at_the_end() -> None:
    async with KafkaBroker() as broker:
        address, folder = broker.bootstrap, broker.nodes[0].log_path.parent.parent
        await make_topic(address)
        await write(address, b"first")
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)
        await write(address, b"second")
        await asyncio.to_thread(broker.kill)
        await asyncio.to_thread(broker.start)
        assert broker.bootstrap == address
        assert await read(address, 2) == [b"first", b"second"]
        pid = broker.nodes[0].pid
    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_cluster_serves_while_its_brokers_are_restarted_one_by_one() -> None:
    async with KafkaBroker(nodes=3) as cluster:
        assert len(cluster.bootstrap.split(",")) == 3
        await make_topic(cluster.bootstrap, replicas=3)
        for index in range(2):
            await asyncio.to_thread(cluster.stop_node, index)
            await write(cluster.bootstrap, b"%d" % index)
            await asyncio.to_thread(cluster.start_node, index)
        assert await read(cluster.bootstrap, 2) == [b"0", b"1"]


def test_it_works_without_an_event_loop_and_each_has_a_cluster_of_its_own() -> None:
    with KafkaBroker() as one, KafkaBroker() as other:
        for broker in (one, other):
            port = int(broker.bootstrap.partition(":")[2])
            assert cluster_of(port, 5.0) == (broker.cluster_id, 1)
        assert one.cluster_id != other.cluster_id


def test_a_port_that_somebody_takes_meanwhile_is_changed_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as somebody:
        taken = somebody.getsockname()[1]
        answers = [[taken, free_ports(1)[0]]]

        def choose(count: int) -> list[int]:
            return answers.pop() if answers else free_ports(count)

        monkeypatch.setattr(kafka_broker, "free_ports", choose)
        with KafkaBroker() as broker:
            assert not answers
            assert str(taken) not in broker.bootstrap


def test_what_is_wrong_is_shown_when_it_does_not_start() -> None:
    with pytest.raises(KafkaUnavailable, match=r"(?s)could not be formatted:.*log\.retention\.ms must be") as failed:
        KafkaBroker(properties={"log.retention.hours": "0"}).start()
    assert len(str(failed.value).splitlines()) < 50
    missing = BrokerTls(Path("/no/such/keystore.pem"))
    with pytest.raises(KafkaUnavailable, match=r"(?s)end of its log:.*/no/such/keystore\.pem"):
        KafkaBroker(listeners=[Listener("TLS", tls=True)], tls=missing).start()


def test_what_takes_too_long_to_start_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = KafkaBroker(start_timeout_seconds=0.5)
    monkeypatch.setattr(kafka_node, "_STARTED", "never said")
    with pytest.raises(KafkaUnavailable, match="did not start in time"):
        broker.start()
    assert broker.nodes == []


def test_a_tls_listener_without_a_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match="BrokerTls"):
        KafkaBroker(listeners=[Listener("TLS", tls=True)])
    KafkaBroker(listeners=[Listener("TLS", tls=True)], tls=BrokerTls(Path("keystore.pem")))


def test_it_ends_with_its_starter_however_that_ends(tmp_path: Path) -> None:
    program = """
        import sys, time
        from hookline.demo.kafka_broker import KafkaBroker
        broker = KafkaBroker()
        broker.start()
        print(broker.nodes[0].pid, broker.bootstrap, flush=True)
        time.sleep(600)
    """
    starter = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert starter.stdout is not None
    pid, bootstrap = starter.stdout.readline().split()
    starter.send_signal(signal.SIGKILL)
    starter.wait(10)
    starter.stdout.close()
    deadline = time.monotonic() + 20
    while Path(f"/proc/{pid}").exists() if Path("/proc").exists() else _alive(int(pid)):
        assert time.monotonic() < deadline, "the broker outlived its starter"
        time.sleep(0.1)
    with pytest.raises(OSError, match="refused"):
        cluster_of(int(bootstrap.partition(":")[2]), 1.0)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
