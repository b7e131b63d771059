"""`hookline demo` as a user runs it."""

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from hookline.cli.main import main
from hookline.demo.embedded_broker import has_embedded_broker
from hookline.demo.kafka_broker import KafkaBroker

COMMAND = [sys.executable, "-m", "hookline.cli.main", "demo"]
embedded = pytest.mark.skipif(not has_embedded_broker(), reason="the wheel has no build for this platform")


def environment(folder: Path) -> dict[str, str]:
    """Our own, with temporary files in `folder`, so that what is left behind is seen."""
    return {**os.environ, "TMPDIR": str(folder)}


def run(folder: Path, *options: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, the account, and the talk."""
    done = subprocess.run(
        [*COMMAND, *options, "--json"],
        capture_output=True,
        text=True,
        timeout=110,
        env=environment(folder),
        check=False,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rate", "0"], "--rate"),
        (["--rate", "-5"], "--rate"),
        (["--rate", "nan"], "--rate"),
        (["--records", "0"], "--records"),
        (["--seconds", "0"], "--seconds"),
        (["--seed", "-1"], "--seed"),
        (["--broker", "rabbit"], "--broker"),
        (["--client", "other"], "--client"),
        (["--servers", "localhost"], "'localhost' is not HOST:PORT"),
        (["--servers", "localhost:9092", "--broker", "kafka"], "--servers uses a Kafka that is there"),
    ],
)
def test_a_bad_option_is_named_and_the_code_is_2(options, said, capsys):
    assert main(["demo", *options]) == 2
    assert said in capsys.readouterr().err


def test_without_the_extra_it_says_what_to_install(monkeypatch, capsys):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "rich" else real(name))
    assert main(["demo"]) == 1
    assert "pip install 'hookline[demo]'" in capsys.readouterr().err


@embedded
def test_with_faults_every_record_is_accounted_for_and_nothing_is_left_behind(tmp_path):
    code, account, talk = run(tmp_path, "--records", "2000", "--rate", "400", "--faults")
    assert code == 0, talk
    assert account["produced"] == 2000
    assert (account["lost"], account["waiting"], account["out_of_order"]) == (0, 0, 0)
    assert account["delivered"] + account["dead_lettered"] - account["delivered_and_dead_lettered"] == 2000
    assert account["dead_lettered"] == sum(account["dead_letter_flaws"].values()) > 0
    assert (account["dead_letters_altered"], account["dead_letters_unexpected"]) == (0, 0)
    assert account["records_per_second"] > 0
    assert 0 < account["p50_ms"] <= account["p99_ms"]
    assert account["settled"]
    for sentence in (
        "the service is slow",
        "answers 503",
        "does not answer",
        "its port is closed",
        "resets each third",
    ):
        assert sentence in talk
    assert list(tmp_path.iterdir()) == []


def interrupted(folder: Path, number: signal.Signals, *options: str) -> tuple[int, dict[str, Any], str]:
    """As `run`, of a demonstration that gets a signal as soon as something is delivered."""
    with subprocess.Popen(
        [*COMMAND, "--json", "--seconds", "100", "--rate", "500", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(folder),
    ) as process:
        assert process.stderr is not None
        deadline = time.monotonic() + 60
        for line in process.stderr:
            assert time.monotonic() < deadline
            if " delivered " in line and " delivered 0 " not in line:
                break
        process.send_signal(number)
        output, talk = process.communicate(timeout=60)
    assert output, talk
    return process.returncode, json.loads(output.splitlines()[-1]), talk


@embedded
def test_ctrl_c_gives_the_account_so_far_and_code_130(tmp_path):
    code, account, talk = interrupted(tmp_path, signal.SIGINT)
    assert code == 130, talk
    assert account["interrupted"]
    assert 0 < account["delivered"] < 50_000
    assert (account["lost"], account["out_of_order"]) == (0, 0)
    assert account["delivered"] + account["dead_lettered"] + account["waiting"] == account["produced"]
    assert list(tmp_path.iterdir()) == []


async def left_behind(servers: str) -> list[str]:
    """The demonstration's topics and all groups that are there."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        topics = [topic for topic in await admin.list_topics() if topic.startswith("hookline-demo")]
        return topics + [group for group, _ in await admin.list_consumer_groups()]
    finally:
        await admin.close()


@pytest.mark.kafka
@pytest.mark.parametrize("client", ["aiokafka", "librdkafka"])
async def test_on_a_kafka_that_is_there_it_works_and_leaves_no_topic_and_no_group(tmp_path, client):
    async with KafkaBroker() as kafka:
        options = ("--servers", kafka.bootstrap, "--records", "3000", "--client", client)
        code, account, talk = await asyncio.to_thread(run, tmp_path, *options)
        assert code == 0, talk
        assert account["delivered"] + account["dead_lettered"] == account["produced"] == 3000
        assert await left_behind(kafka.bootstrap) == []


@pytest.mark.kafka
async def test_on_a_kafka_that_is_there_it_also_tidies_up_when_it_is_told_to_end(tmp_path):
    async with KafkaBroker() as kafka:
        options = ("--servers", kafka.bootstrap)
        code, account, talk = await asyncio.to_thread(interrupted, tmp_path, signal.SIGTERM, *options)
        assert code == 130, talk
        assert account["lost"] == 0
        assert await left_behind(kafka.bootstrap) == []


def test_a_kafka_that_is_not_there_is_told_with_code_4(capsys):
    assert main(["demo", "--servers", "127.0.0.1:1"]) == 4
    assert "cannot be reached" in capsys.readouterr().err
