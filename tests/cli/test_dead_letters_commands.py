"""`hookline dead-letters` as it is typed: what it prints, what it refuses, and its exit codes."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from tests.cli.command import CommandHere
from tests.cli.test_confirmation import Terminal
from tests.dead_letters.make import written_letter
from tests.support.kafka_tools import KafkaTools, Written, unique

from hookline.cli.main import main
from hookline.demo.kafka_broker import KafkaBroker

NOBODY = ("--kafka.servers", "127.0.0.1:1")
HOSTILE = Written(
    b'{"driver_token": "tok-1", "note": "\\u001b[2J\\u202e"}',
    b"\x1b]0;pwn\x07secret-key",
    (("Authorization", b"Bearer abcdef123456"), ("x\x1b[1m", b"\xff\x00\x1b"), ("hookline-detail", b"\x1b[31m\r\nred")),
)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandHere:
    return CommandHere(monkeypatch, capsys)


@pytest.fixture
def tools(kafka_broker: KafkaBroker) -> KafkaTools:
    return KafkaTools(kafka_broker.bootstrap)


class Letters:
    """A dead-letter topic with letters, and flags that name it."""

    def __init__(self, tools: KafkaTools, letters: list[Written]) -> None:
        self.tools = tools
        self.source = unique("topic")
        self.dead = f"{self.source}.dead-letter"
        self.flags = ("--kafka.servers", tools.bootstrap, "--kafka.topics", self.source)
        asyncio.run(self._make(letters))

    async def _make(self, letters: list[Written]) -> None:
        await self.tools.make_topic(name=self.source)
        await self.tools.make_topic(name=self.dead)
        await self.tools.produce(self.dead, letters)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("redrive",), "--all, --id PARTITION:OFFSET, or filters"),
        (("redrive", "--all", "--reason", "expired"), "exclude each other"),
        (("redrive", "--id", "12"), "'12' is not PARTITION:OFFSET"),
        (("redrive", "--id", "other-0-1"), "other is none of charging_sessions.dead-letter"),
        (("redrive", "--reason", "rejectd"), "'rejectd' is not one of"),
        (("redrive", "--status", "42"), "'42' is no status"),
        (("redrive", "--source-offsets", "9..3"), "ends before it begins"),
        (("redrive", "--source-offsets", ".."), "is no offset"),
        (("redrive", "--failed-since", "yesterday"), "is no time with its zone"),
        (("redrive", "--key-hex", "0"), "hexadecimal"),
        (("redrive", "--all", "--patience", "soon"), "expected a duration"),
        (("purge",), "--all, or filters"),
        (("purge", "--all", "--partly", "--with-others"), "exclude each other"),
        (("purge", "--all", "--dry-run", "--yes"), "exclude each other"),
        (("show",), "Say which ones"),
        (("list", "--limit", "3"), "go with --each"),
    ],
)
def test_wrong_usage_is_told_with_2_before_anything_is_asked(
    command: CommandHere, arguments: tuple[str, ...], told: str
):
    result = command("dead-letters", *arguments, *NOBODY)
    assert (result.returncode, result.stdout) == (2, "")
    assert told in " ".join(result.stderr.split())


def test_without_a_broker_it_ends_with_4(command: CommandHere):
    result = command("dead-letters", "list", *NOBODY)
    assert (result.returncode, result.stdout) == (4, "")
    assert "no broker answers at 127.0.0.1:1" in result.stderr


def test_a_topic_that_is_not_there_is_no_failure_of_list_and_one_of_the_others(command: CommandHere, tools: KafkaTools):
    flags = ("--kafka.servers", tools.bootstrap, "--kafka.topics", unique("nothing"))
    listed = command("dead-letters", "list", "--json", *flags)
    assert (listed.returncode, json.loads(listed.stdout)) == (0, {"topics": []})
    assert "there is no topic" in listed.stderr
    assert command("dead-letters", "redrive", "--all", *flags).returncode == 4


def test_list_groups_by_reason_and_says_what_to_do(command: CommandHere, tools: KafkaTools):
    letters = Letters(tools, [written_letter(n, "s", reason=("rejected", "expired")[n % 2]) for n in range(5)])
    text = command("dead-letters", "list", *letters.flags).stdout
    assert text.startswith(f"{letters.dead}: 5 dead letters (5 waiting)\n\nrejected  3  (3 waiting)\n")
    assert "failed    2026-11-25T03:41:02Z to 2026-11-25T03:41:02Z" in text
    assert "examples  0:0, 0:2, 0:4" in text
    assert "what now  The service refused the record" in text
    found = json.loads(command("dead-letters", "list", "--reason", "expired", "--json", *letters.flags).stdout)
    (topic,) = found["topics"]
    assert (topic["topic"], topic["count"], topic["states"]["waiting"]) == (letters.dead, 2, 2)
    assert topic["groups"][0]["examples"] == [f"{letters.dead}-0-1", f"{letters.dead}-0-3"]
    assert {"reason", "count", "first_failed_at", "advice"} < set(topic["groups"][0])


def test_nothing_hostile_reaches_a_terminal_and_nothing_secret_is_shown(command: CommandHere, tools: KafkaTools):
    letters = Letters(tools, [HOSTILE, written_letter(1, "s", b"plain-key", value=bytes(range(256)))])
    outputs = [
        command("dead-letters", *arguments, *letters.flags).stdout
        for arguments in (
            ("list",),
            ("list", "--each"),
            ("list", "--each", "--show-payloads"),
            ("list", "--each", "--json", "--show-payloads"),
            ("show", "--id", "0:0"),
            ("show", "--id", "0:0", "--json"),
            ("show", "--id", f"{letters.dead}-0-1"),
        )
    ]
    for text in outputs:
        assert text
        assert all(line.isprintable() for line in text.splitlines())
        assert not re.search("tok-1|secret-key|abcdef123456|plain-key", text)
    assert "driver_token" not in outputs[1]
    assert '"driver_token": "***"' in outputs[2]
    assert "Authorization: ***" in outputs[4]
    assert "problem" in outputs[4]
    assert "00000010  10 11 12" in outputs[6]
    shown = json.loads(outputs[5])
    assert (shown["source"], shown["reason"], shown["state"]) == (None, "unknown", "waiting")
    unmasked = command("dead-letters", "show", "--id", "0:0", "--unmasked", *letters.flags).stdout
    assert "tok-1" in unmasked
    assert r"\x1b]0;pwn\x07secret-key" in unmasked
    assert all(line.isprintable() for line in unmasked.splitlines())


def test_showing_what_is_not_there_fails(command: CommandHere, tools: KafkaTools):
    letters = Letters(tools, [written_letter(0, "s")])
    result = command("dead-letters", "show", "--id", "0:9", *letters.flags)
    assert (result.returncode, result.stdout) == (1, "")
    assert "there is no such dead letter" in result.stderr


def test_a_dry_run_counts_and_sends_nothing_and_a_redrive_tells_what_it_did(command: CommandHere, tools: KafkaTools):
    letters = Letters(tools, [])
    asyncio.run(tools.produce(letters.dead, [written_letter(n, letters.source) for n in range(3)] + [HOSTILE]))
    arguments = ("dead-letters", "redrive", "--all", *letters.flags)
    for _ in range(2):
        dry = json.loads(command(*arguments, "--dry-run").stdout)
        assert dry["planned"]["count"] == 3
        assert dry["skipped"]["each"] == [{"id": f"{letters.dead}-0-3", "why": "no_source"}]
    result = command(*arguments)
    done = json.loads(result.stdout)
    assert (result.returncode, done["redriven"], done["is_complete"], done["failed_again"]) == (0, 3, True, {})
    assert result.stderr == ""
    assert json.loads(command(*arguments).stdout)["planned"]["count"] == 0


def test_a_purge_needs_yes_and_deletes_what_it_counted(command: CommandHere, tools: KafkaTools):
    reasons = ("expired", "expired", "rejected", "expired")
    letters = Letters(tools, [written_letter(n, "s", reason=reason) for n, reason in enumerate(reasons)])
    first = ("dead-letters", "list", "--each", "--limit", "1", "--json", *letters.flags)
    expired = ("dead-letters", "purge", "--reason", "expired", *letters.flags)

    refused = command(*expired, "--yes")
    assert refused.returncode == 1
    assert "1 that do not match lie before some of the 3 dead letters that do" in refused.stderr
    without_yes = command(*expired, "--partly")
    assert without_yes.returncode == 1
    assert "nothing was deleted" in without_yes.stderr
    assert "3 dead letters match, 2 dead letters to be deleted" in without_yes.stdout
    assert json.loads(command(*first).stdout)["offset"] == 0
    assert command(*expired, "--partly", "--dry-run").returncode == 0
    assert command(*expired, "--partly", "--yes").returncode == 0
    assert json.loads(command(*first).stdout)["offset"] == 2
    planned = json.loads(command(*expired, "--with-others", "--dry-run", "--json").stdout)
    assert (planned["matching"], planned["others_before"], planned["to_delete"]["count"]) == (1, 1, 2)
    assert planned["before"] == {"0": 4}
    assert command("dead-letters", "purge", "--all", "--yes", *letters.flags).returncode == 0
    listed = command("dead-letters", "list", *letters.flags)
    assert listed.stdout.startswith(f"{letters.dead}: 0 dead letters")


def test_at_a_terminal_more_than_one_is_sent_again_only_after_a_question(
    command: CommandHere, tools: KafkaTools, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    letters = Letters(tools, [])
    asyncio.run(tools.produce(letters.dead, [written_letter(number, letters.source) for number in range(2)]))
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert main(["dead-letters", "redrive", "--all", "--to", "destination", *letters.flags]) == 1
    told = capsys.readouterr().err
    assert "Send these 2 dead letters again?" in told
    assert "nothing was done" in told
    found = json.loads(command("dead-letters", "list", "--json", *letters.flags).stdout)
    assert found["topics"][0]["states"]["waiting"] == 2
