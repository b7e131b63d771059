"""Draws a plan from a seed: settings within their bounds, logs with all that logs can have, and faults."""

from __future__ import annotations

from base64 import b64decode, b64encode
from random import Random
from typing import Any

from tests.simulation.plan import GOOD, Entry, Fault, Plan

from hookline.engine.offset_map import encode
from hookline.engine.records import OffsetCommit, TopicPartition

MAX_DEPTH = 8


def draw_plan(seed: int) -> Plan:
    """The plan that a seed stands for."""
    random = Random(seed)
    partitions = _partitions(random)
    settings = _settings(random, sorted({partition.topic for partition in partitions}))
    settings["deliver"].update(_limits(Random(f"limits of {seed}"), settings["deliver"]["max_bytes"]))
    heals_at = random.uniform(3.0, 9.0)
    entries, ends, committed = _logs(random, partitions, heals_at, settings["deliver"]["max_bytes"])
    members = random.choice((1, 2, 2, 3, 3))
    appears_at = dict.fromkeys(partitions, 0.0)
    if random.random() < 0.2:
        for partition in partitions:
            if partition.partition == max(it.partition for it in partitions if it.topic == partition.topic) > 0:
                appears_at[partition] = round(random.uniform(0.5, heals_at), 2)
    return Plan(
        seed=seed,
        members=members,
        cooperative=random.random() < 0.5,
        settings=settings,
        map_limit_characters=random.choice((4096, 4096, 4096, 24, 48)),
        metadata_max=random.choice((4096, 4096, 4096, 4096, 300, 70, 0)),
        metadata_in_bytes=random.random() < 0.2,
        entries=tuple(entries),
        ends=ends,
        committed=committed,
        appears_at=appears_at,
        faults=tuple(sorted(_faults(random, members, heals_at), key=lambda fault: fault.at)),
        heals_at=heals_at,
        kinds=tuple(
            sorted({entry.kind for entry in entries} | {"foreign_metadata" for it in committed.values() if it.metadata})
        ),
    )


def _partitions(random: Random) -> list[TopicPartition]:
    count = random.choice((1, 2, 3, 4))
    topics = ["orders"] if random.random() < 0.7 else ["orders", "refunds"]
    return [TopicPartition(topic, partition) for topic in topics for partition in range(count)]


def _settings(random: Random, topics: list[str]) -> dict[str, Any]:
    session = random.choice((1.0, 2.0, 3.0))
    timeout = random.choice((0.4, 1.0, 2.0))
    order = random.choice(("key", "key", "key", "partition", "none"))
    window = random.choice((5, 10, 20))
    records = random.choice((2, 5, 20, 200))
    large = random.random() < 0.2
    deliver: dict[str, Any] = {
        "url": "http://service/check" if random.random() < 0.85 else "http://service/check/{key}",
        "order": order,
        "in_flight": random.choice((1, 2, 4, 16, 64)),
        "timeout": timeout,
        "connect_timeout": timeout,
        "max_bytes": 20_000 if large else 2_000,
        "max_depth": MAX_DEPTH,
        "tombstones": random.choice(("skip", "skip", "send", "dead_letter")),
        "drain_timeout": round(session * random.choice((0.005, 0.1, 0.3, 0.6)), 3),
    }
    if order == "key" and random.random() < 0.3:
        deliver["keyless"] = "partition"
    return {
        "kafka": {
            "topics": topics,
            "group_id": "simulated",
            "session_timeout": session,
            "max_poll_interval": session * random.choice((1.5, 3.0)),
            "request_timeout": random.choice((0.5, 1.0, 3.0)),
            "fetch_records": random.choice((1, 3, 10, 100)),
        },
        "deliver": deliver,
        "retry": {
            "initial_delay": random.choice((0.02, 0.1, 0.3)),
            "max_delay": random.choice((0.5, 1.5)),
            "max_attempts": random.choice((0, 1, 2, 3, 5)),
            "max_age": random.choice((0.0, 0.0, 0.0, 2.0, 5.0)),
            "retry_after_cap": random.choice((0.5, 2.0)),
            "throttle_delay": random.choice((0.2, 0.5)),
        },
        "breaker": {
            "enabled": random.random() < 0.85,
            "failure_share": random.choice((0.3, 0.5, 1.0)),
            "window_attempts": window,
            "min_failures": random.choice((1, 2, 5)),
            "probe_delay": random.choice((0.2, 0.5)),
            "max_probe_delay": random.choice((0.5, 2.0)),
            "credentials_probe_delay": random.choice((0.5, 2.0)),
        },
        "bounds": {
            "records": records,
            "bytes": "64KiB" if large else "1MiB",
            "partition_records": min(records, random.choice((1, 3, 10, 200))),
            "partition_bytes": "64KiB",
        },
        "commit": {"interval": random.choice((0.1, 0.3, 1.0)), "records": random.choice((1, 5, 20_000))},
        "dead_letter": {
            "topic": random.choice((None, "failed")),
            "allowance": random.choice((1, 3, 20)),
            "allowance_refill": random.choice((0.5, 2.0)),
            "success_pays": random.choice((0.1, 0.5, 1.0)),
            "write_timeout": random.choice((0.5, 2.0)),
        },
    }


def _limits(random: Random, max_bytes: int) -> dict[str, Any]:
    """How much at once and how much a second, so that what is to be delivered after healing comes to its end."""
    limits: dict[str, Any] = {}
    if random.random() < 0.25:
        limits |= {"in_flight": "adaptive", "in_flight_max": random.choice((1, 3, 8, 64))}
    for name in ("rate", "fleet_rate"):
        if random.random() < 0.2:
            rate = limits[name] = {"burst": random.choice((0.1, 0.5, 1.0, 5.0))}
            if random.random() < 0.8:
                rate["records"] = random.choice((20, 50, 200.5))
            if random.random() < 0.3:
                rate["bytes"] = max_bytes * random.choice((5, 20))
    return limits


def _logs(
    random: Random, partitions: list[TopicPartition], heals_at: float, max_bytes: int
) -> tuple[list[Entry], dict[TopicPartition, int], dict[TopicPartition, OffsetCommit]]:
    entries: list[Entry] = []
    ends: dict[TopicPartition, int] = {}
    committed: dict[TopicPartition, OffsetCommit] = {}
    records = random.randint(20, 120)
    hostile = random.choice((0.0, 0.05, 0.2))
    large = max_bytes > 2_000
    for partition in partitions:
        offset = start = random.choice((0, 0, 7, 100, 2**31 - 3))
        keys = random.choice((1, 3, 10))
        # All at once, or as slowly as makes them meet with faults of all times.
        pace = random.choice((1.0, 3.0, 10.0))
        at = 0.0
        open_until = 0.0
        for _ in range(random.randint(0, 2 * records // len(partitions))):
            at += pace * random.choice((0.0, 0.0, 0.0, 0.02, 0.2))
            if random.random() < 0.05:
                offset += random.choice((1, 1, 5, 40_000))
            if random.random() < 0.03:
                open_until = max(open_until, at + random.uniform(0.1, 2.0))
            readable_at = min(max(at, open_until), heals_at)
            kind = GOOD
            if random.random() < 0.08:
                kind = random.choice(("marker", "aborted"))
            elif random.random() < hostile:
                kind = random.choice(HOSTILE)
            entries.append(_entry(random, partition, offset, readable_at, kind, keys, max_bytes, large))
            offset += 1
        if random.random() < 0.3:
            entries.append(Entry(partition, offset, min(max(at, open_until), heals_at), "marker"))
            offset += 1
        ends[partition] = offset
        if start and random.random() < 0.5:
            metadata = random.choice(("", "of another tool", "~AAAA", "\u3401\u4444", *_maps_of_others(start)))
            committed[partition] = OffsetCommit(start, metadata)
    return entries, ends, committed


def _maps_of_others(committed: int) -> tuple[str, str]:
    """What looks like a map of ours and is none of this commit: one made for the offset before, and a damaged one."""
    settled = [(committed + 1, committed + 4)]
    payload = bytearray(b64decode(encode(committed, settled, 4096, wide=False)[1:] + "=="))
    payload[1] ^= 0xFF
    return encode(committed - 1, settled, 4096, wide=False), f"~{b64encode(payload).decode().rstrip('=')}"


HOSTILE = (
    "stuck",
    "not_json",
    "too_large",
    "too_deep",
    "tombstone",
    "empty",
    "bad_key",
    "rejected",
    "rejected",
    "broken",
    "broken",
)
"""`rejected` is answered 422 for ever, `broken` 500 and `stuck` nothing until it heals; others say what is wrong."""


def _entry(
    random: Random, partition: TopicPartition, offset: int, at: float, kind: str, keys: int, max_bytes: int, large: bool
) -> Entry:
    if kind in ("marker", "aborted"):
        return Entry(partition, offset, at, kind)
    key: bytes | None = b"key-%d" % random.randrange(keys)
    if random.random() < 0.1:
        key = None
    padding = "x" * (random.randint(4_000, 15_000) if large and random.random() < 0.5 else random.randint(0, 40))
    value: bytes | None = f'{{"id":"{partition}-{offset}","text":"{padding}"}}'.encode()
    headers: list[tuple[str, bytes | None]] = []
    if random.random() < 0.1:
        headers.append((random.choice(("hookline-reason", "traceparent", "x\r\nInjected: yes", "")), b"\xff\r\n\x00"))
    if kind == "not_json":
        value = random.choice((b"\xff\xfe", b"{", b'{"a":"\\ud800"}', b"nul", b"[1,]", b" "))
    elif kind == "too_large":
        value = b'"' + b"x" * max_bytes + b'"'
    elif kind == "too_deep":
        value = b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)
    elif kind in ("tombstone", "empty"):
        value = None if kind == "tombstone" else b""
    elif kind == "bad_key":
        key = random.choice((b"", b"..", b"\x00\r\nX: y", b"k" * 3_000))
    return Entry(partition, offset, at, kind, key, value, tuple(headers))


SERVICE_FAULTS = {
    "service_500": 1.0,
    "service_503": 1.0,
    "service_503_retry_after": 0.7,
    "service_429": 0.7,
    "service_429_retry_after": 0.7,
    "service_429_retry_after_date": 0.4,
    "service_400": 0.7,
    "service_401": 0.7,
    "service_403": 0.7,
    "service_410": 0.3,
    "service_refuses_connections": 1.0,
    "service_resets_connections": 0.7,
    "service_stalls": 1.0,
    "service_slow": 1.0,
    "service_answers_late": 1.0,
    "service_answers_twice": 0.7,
    "service_answers_rubbish": 0.5,
}
"""By weight; each concerns a share of the requests for some seconds."""

MEMBER_FAULTS = {
    "crash": 1.2,
    "stop": 0.8,
    "freeze": 1.2,
    "stutter": 0.5,
    "cut_off": 1.2,
    "clock_jump": 0.4,
    "hangup": 0.2,
    "abort": 0.3,
    "client_fails": 0.3,
    "client_hangs": 0.15,
    "rejoin": 1.2,
}
"""What happens to one member: killed; SIGTERM; SIGSTOP and SIGCONT, for long or for a moment; cut off from the brokers;
its clock changed; SIGHUP; a second SIGTERM; its Kafka client gives up, or hangs once it is to stop; it has the group
rebalance."""

KAFKA_FAULTS = {
    "commits_refused": 0.8,
    "commits_slow": 0.8,
    "commits_doubled": 0.5,
    "commit_replies_lost": 0.8,
    "commit_requests_lost": 0.6,
    "fetches_stall": 0.7,
    "dead_letters_fail": 1.0,
    "dead_letters_late": 1.0,
    "dead_letter_replies_lost": 0.8,
    "dead_letter_topic_unavailable": 0.5,
}


def _faults(random: Random, members: int, heals_at: float) -> list[Fault]:
    faults: list[Fault] = []
    for table, most in ((SERVICE_FAULTS, 5), (MEMBER_FAULTS, 6), (KAFKA_FAULTS, 4)):
        # Swarm testing (Groce and others, 2012): few kinds at a time meet more often than all kinds do.
        kinds = random.sample(list(table), random.randint(1, len(table)))
        for kind in random.choices(kinds, [table[kind] for kind in kinds], k=random.randint(0, most)):
            at = round(random.uniform(0.0, heals_at), 2)
            seconds = round(min(random.choice((0.3, 1.0, 3.0)) * random.uniform(0.5, 2.0), heals_at - at), 2)
            share = random.choice((1.0, 1.0, 0.5, 0.2))
            amount = 0.0
            if "retry_after" in kind:
                amount = random.choice((0.0, 1.0, 3.0, 30.0))
            elif kind == "clock_jump":
                amount = random.choice((-86_400.0, -5.0, 3.0, 86_400.0))
            member = random.randrange(members) if table is MEMBER_FAULTS else -1
            if kind in ("stop", "clock_jump", "hangup", "abort", "client_fails", "client_hangs", "rejoin"):
                seconds = 0.0
            if table is MEMBER_FAULTS:
                share = 1.0
            faults.append(Fault(at, kind, member, seconds, share, amount))
    return faults
