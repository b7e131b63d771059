"""What all commands on dead letters have in common: which topic, and which dead letters are meant."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import click

from hookline.cli.settings_options import SettingsCommand, loaded_settings
from hookline.dead_letters.filters import LetterFilter, State
from hookline.dead_letters.groups import ADVICE
from hookline.dead_letters.letters import Position
from hookline.dead_letters.reading import dead_letter_topics
from hookline.settings.loading import LoadedSettings
from hookline.settings.provenance import DEFAULT
from hookline.settings.units import moment_or_ago

_STATUS = re.compile(r"[1-9][0-9]{2}|[1-9]xx|none")
_OFFSETS = re.compile(r"(\d{1,18})?(\.\.)?(\d{1,18})?")
_POSITION = re.compile(
    r"(?:(?P<topic>[A-Za-z0-9._-]{1,249})-(?P<of>\d{1,9})-|(?P<partition>\d{1,9}):)(?P<offset>\d{1,18})"
)


def _statuses(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> frozenset[str]:
    for value in values:
        if not _STATUS.fullmatch(value):
            raise click.BadParameter(f"{value!r} is no status such as 422, no class such as 4xx, and not none")
    return frozenset(values)


def _range(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[int, int | None] | None:
    if value is None:
        return None
    match = _OFFSETS.fullmatch(value)
    if not match or not (match[1] or match[3]):
        raise click.BadParameter(f"{value!r} is no offset such as 17, and no range such as 10..20, 10.. or ..20")
    first, last = int(match[1] or 0), int(match[3]) if match[3] else None
    if match[2] is None:
        return (first, first)
    if last is not None and last < first:
        raise click.BadParameter(f"{value!r} ends before it begins")
    return (first, last)


def _moment(_context: click.Context, _option: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        return moment_or_ago(value, datetime.now(UTC))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _keys(context: click.Context, _option: click.Parameter, values: Sequence[str]) -> frozenset[bytes]:
    return frozenset(value.encode(errors="surrogateescape") for value in values)


def _hex_keys(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> frozenset[bytes]:
    try:
        return frozenset(bytes.fromhex(value) for value in values)
    except ValueError:
        raise click.BadParameter("expected pairs of hexadecimal digits, such as 00ff") from None


def _positions(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> tuple[str, ...]:
    for value in values:
        if not _POSITION.fullmatch(value):
            raise click.BadParameter(f"{value!r} is not PARTITION:OFFSET or TOPIC-PARTITION-OFFSET, as list shows it")
    return tuple(values)


def _filter_options(*, with_ids: bool) -> list[click.Option]:
    options = [
        click.Option(
            ["--topic", "dead_letter_topics"],
            multiple=True,
            metavar="TOPIC",
            help="The dead-letter topic; by default those of the settings.",
        ),
        click.Option(
            ["--reason"], multiple=True, type=click.Choice([str(word) for word in ADVICE]), help="The reason."
        ),
        click.Option(["--status"], multiple=True, callback=_statuses, help="The last answer: 422, 4xx or none."),
        click.Option(["--source-topic"], multiple=True, metavar="TOPIC", help="The topic that it came from."),
        click.Option(["--source-partition"], multiple=True, type=click.IntRange(0), help="The partition there."),
        click.Option(["--source-offsets"], callback=_range, metavar="A..B", help="The offsets there, both included."),
        click.Option(
            ["--failed-since"], callback=_moment, metavar="TIME", help="Failed then or later: a time, or 2h for ago."
        ),
        click.Option(
            ["--failed-before"], callback=_moment, metavar="TIME", help="Failed before: a time, or 2h for ago."
        ),
        click.Option(["--key"], multiple=True, callback=_keys, metavar="TEXT", help="The record's key."),
        click.Option(["--key-hex"], multiple=True, callback=_hex_keys, metavar="HEX", help="The same in hexadecimal."),
        click.Option(
            ["--state"], multiple=True, type=click.Choice([state.value for state in State]), help="What became of it."
        ),
    ]
    if with_ids:
        options.append(
            click.Option(
                ["--id", "ids"],
                multiple=True,
                callback=_positions,
                metavar="ID",
                help="Its own position: PARTITION:OFFSET or TOPIC-PARTITION-OFFSET.",
            )
        )
    return options


class DeadLettersCommand(SettingsCommand):
    """A command with filters: those given must all be so; of one that is given several times, one is enough."""

    def __init__(self, *args: Any, with_ids: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        config, *rest = self.params
        self.params = [config, *_filter_options(with_ids=with_ids), *rest]


class Meant:
    """What the options of a command mean: settings, topics, and a filter for each topic."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.loaded: LoadedSettings = loaded_settings(given.pop("config"))
        self.settings = self.loaded.settings
        self.topics = list(dict.fromkeys(given.pop("dead_letter_topics"))) or dead_letter_topics(self.settings)
        ids = given.pop("ids", ())
        self._positions = self._resolved(ids)
        if ids:
            self.topics = [t for t in self.topics if any(p.topic == t for p in self._positions)]
        self._filter = LetterFilter(
            reasons=frozenset(given.pop("reason")),
            statuses=given.pop("status"),
            source_topics=frozenset(given.pop("source_topic")),
            source_partitions=frozenset(given.pop("source_partition")),
            source_offsets=given.pop("source_offsets"),
            failed_since=given.pop("failed_since"),
            failed_before=given.pop("failed_before"),
            keys=given.pop("key") | given.pop("key_hex"),
            states=frozenset(map(State, given.pop("state"))),
        )
        self.has_own_log_level = self.loaded.origin("log.level") != DEFAULT

    @property
    def is_all(self) -> bool:
        """Whether no filter was given."""
        return self._filter.is_empty and not self._positions

    @property
    def chosen(self) -> LetterFilter:
        """The filter."""
        return replace(self._filter, positions=self._positions)

    def _resolved(self, ids: Sequence[str]) -> frozenset[Position]:
        found = set()
        for text in ids:
            match = _POSITION.fullmatch(text)
            if match is None:
                continue
            topic = match["topic"]
            if topic is None:
                if len(self.topics) > 1:
                    raise click.UsageError(f"{text}: there are several topics; give it as TOPIC-PARTITION-OFFSET.")
                topic = self.topics[0]
            elif topic not in self.topics:
                raise click.UsageError(f"{text}: {topic} is none of {', '.join(self.topics)}; name it with --topic.")
            found.add(Position(topic, int(match["of"] or match["partition"] or 0), int(match["offset"])))
        return frozenset(found)
