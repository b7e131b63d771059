"""Combinations of settings that cannot work, each told with what to do. One value alone is checked by the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hookline.settings.addresses import is_loopback, split_host_port
from hookline.settings.conflicts import Conflict, was_set
from hookline.settings.credential_checks import (
    auth_conflicts,
    console_token_conflicts,
    sasl_conflicts,
    tls_conflicts,
)
from hookline.settings.deliver import DRAIN_SHARE_OF_SESSION
from hookline.settings.problems import Problem, settings_error
from hookline.settings.provenance import DEFAULT, Origin
from hookline.settings.tree import Settings
from hookline.settings.units import written_duration, written_size


def find_conflicts(settings: Settings, origin_of: Callable[[str], Origin]) -> list[Problem]:
    """All that does not go together; `origin_of` tells where a setting got its value."""
    checks = (
        _group_conflicts,
        sasl_conflicts,
        _topic_conflicts,
        _drain_conflicts,
        _time_conflicts,
        _bound_conflicts,
        _room_conflicts,
        _request_conflicts,
        auth_conflicts,
        console_token_conflicts,
        tls_conflicts,
        _console_conflicts,
    )
    return [conflict.problem(origin_of) for check in checks for conflict in check(settings)]


def check_settings(settings: Settings) -> None:
    """For trees that are made by hand; loading does it by itself. Raises `SettingsError` with all conflicts."""
    problems = find_conflicts(settings, lambda _: DEFAULT)
    if problems:
        raise settings_error(problems)


def _group_conflicts(settings: Settings) -> Iterator[Conflict]:
    kafka = settings.kafka
    for key, value, client, instead in (
        ("kafka.group_protocol", "consumer", "librdkafka", "classic"),
        ("kafka.assignor", "cooperative-sticky", "librdkafka", "sticky"),
        ("kafka.assignor", "sticky", "aiokafka", "cooperative-sticky"),
    ):
        if getattr(kafka, key.removeprefix("kafka.")) == value and kafka.client != client:
            message = f"'{value}' needs kafka.client: {client}; set that, or {key}: {instead}"
            yield Conflict((key, "kafka.client"), message)
    if kafka.group_protocol == "consumer":
        for key in ("kafka.assignor", "kafka.session_timeout"):
            if was_set(settings, key):
                message = "with kafka.group_protocol 'consumer' the brokers decide this; remove it"
                yield Conflict((key, "kafka.group_protocol"), message)
    elif kafka.max_poll_interval < kafka.session_timeout:
        message = f"must not be shorter than kafka.session_timeout ({written_duration(kafka.session_timeout)})"
        yield Conflict(("kafka.max_poll_interval", "kafka.session_timeout"), message)


def _topic_conflicts(settings: Settings) -> Iterator[Conflict]:
    topics = settings.kafka.topics
    for topic in sorted({topic for topic in topics if topics.count(topic) > 1}):
        yield Conflict(("kafka.topics",), f"'{topic}' is given twice; once is enough")
    for topic in topics:
        dead_letters = settings.dead_letter.topic or f"{topic}.dead-letter"
        if dead_letters in topics:
            message = (
                f"dead letters of '{topic}' would go to '{dead_letters}', which is read as well, and come back for ever"
            )
            yield Conflict(("dead_letter.topic", "kafka.topics"), f"{message}; name another topic for them")
            return


def _drain_conflicts(settings: Settings) -> Iterator[Conflict]:
    kafka, drain_timeout = settings.kafka, settings.deliver.drain_timeout
    longest = round(kafka.session_timeout * DRAIN_SHARE_OF_SESSION, 6)
    if drain_timeout > longest and was_set(settings, "deliver.drain_timeout"):
        message = f"{written_duration(drain_timeout)} is longer than {written_duration(longest)}, which is"
        if kafka.group_protocol == "classic":
            other = "kafka.session_timeout"
            message += (
                f" 60 % of {other} ({written_duration(kafka.session_timeout)}); make it shorter, or {other} longer"
            )
        else:
            other = "kafka.group_protocol"
            message += f" the most with {other} 'consumer'; make it shorter"
        yield Conflict(("deliver.drain_timeout", other), message)
    draining = min(drain_timeout, longest)
    # With a classic group max_poll_interval is no shorter than the session, and so is longer than this.
    if kafka.group_protocol == "consumer" and kafka.max_poll_interval <= draining:
        message = f"must be longer than draining takes (deliver.drain_timeout, {written_duration(draining)})"
        hint = "or the group gives the partitions away before; make it longer, or deliver.drain_timeout shorter"
        yield Conflict(("kafka.max_poll_interval", "deliver.drain_timeout"), f"{message}, {hint}")


def _time_conflicts(settings: Settings) -> Iterator[Conflict]:
    deliver, retry, breaker = settings.deliver, settings.retry, settings.breaker
    for key, value, most_key, most in (
        ("deliver.connect_timeout", deliver.connect_timeout, "deliver.timeout", deliver.timeout),
        ("retry.initial_delay", retry.initial_delay, "retry.max_delay", retry.max_delay),
        ("breaker.probe_delay", breaker.probe_delay, "breaker.max_probe_delay", breaker.max_probe_delay),
    ):
        if value > most and was_set(settings, key):
            message = f"{written_duration(value)} is longer than {most_key} ({written_duration(most)}), which limits it"
            yield Conflict((key, most_key), f"{message}; make it shorter, or the other longer")


def _bound_conflicts(settings: Settings) -> Iterator[Conflict]:
    bounds, breaker = settings.bounds, settings.breaker
    if bounds.partition_records > bounds.records and was_set(settings, "bounds.partition_records"):
        message = f"one partition cannot hold more than bounds.records ({bounds.records})"
        yield Conflict(
            ("bounds.partition_records", "bounds.records"), f"{message}; make it smaller, or the other larger"
        )
    if bounds.partition_bytes > bounds.bytes and was_set(settings, "bounds.partition_bytes"):
        message = f"one partition cannot hold more than bounds.bytes ({written_size(bounds.bytes)})"
        yield Conflict(("bounds.partition_bytes", "bounds.bytes"), f"{message}; make it smaller, or the other larger")
    if breaker.min_failures > breaker.window_attempts:
        message = f"more failures than breaker.window_attempts ({breaker.window_attempts}) can never be seen"
        yield Conflict(("breaker.min_failures", "breaker.window_attempts"), f"{message}; make it smaller")


def _room_conflicts(settings: Settings) -> Iterator[Conflict]:
    bounds, max_bytes = settings.bounds, settings.deliver.max_bytes
    for key, room in (("bounds.bytes", bounds.bytes), ("bounds.partition_bytes", bounds.partition_bytes)):
        # A partition takes one record that is larger than its bound, so only a bound that was set is meant to hold.
        if room < max_bytes and (key == "bounds.bytes" or was_set(settings, key)):
            value = f"one value of deliver.max_bytes ({written_size(max_bytes)})"
            message = f"{key} ({written_size(room)}) has no room for {value}; make the one larger or the other smaller"
            yield Conflict((key, "deliver.max_bytes"), message)


def _request_conflicts(settings: Settings) -> Iterator[Conflict]:
    deliver = settings.deliver
    if deliver.proxy is not None and deliver.unix_socket is not None:
        yield Conflict(("deliver.proxy", "deliver.unix_socket"), "goes with no deliver.unix_socket; keep one of both")
    if deliver.sender == "wire":
        for name in ("proxy", "unix_socket"):
            if getattr(deliver, name) is not None:
                message = f"'wire' cannot use deliver.{name}; set deliver.sender: auto"
                yield Conflict(("deliver.sender", f"deliver.{name}"), message)
    if deliver.in_flight != "adaptive" and was_set(settings, "deliver.in_flight_max"):
        message = "has a meaning only with deliver.in_flight 'adaptive'; remove it"
        yield Conflict(("deliver.in_flight_max", "deliver.in_flight"), message)
    if deliver.order != "key" and was_set(settings, "deliver.keyless"):
        message = f"has a meaning only with deliver.order 'key', and that is '{deliver.order}'; remove it"
        yield Conflict(("deliver.keyless", "deliver.order"), message)


def _console_conflicts(settings: Settings) -> Iterator[Conflict]:
    console = settings.console
    if console.listen is None or console.allow_remote:
        return
    host, _ = split_host_port(console.listen)
    if not is_loopback(host):
        message = "could be reached from other machines; set console.allow_remote: true if that is meant"
        yield Conflict(("console.listen", "console.allow_remote"), f"{message}, or listen on 127.0.0.1")
