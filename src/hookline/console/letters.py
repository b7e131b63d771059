"""Dead letters for the console: what is there, by reason and one by one. Read from Kafka when somebody looks."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from hookline.console.letter_models import LetterDetail, LetterGroup, LetterItem, Letters, LettersQuery
from hookline.console.payloads import header_text, key_text, payload_text
from hookline.console.routing import Refused
from hookline.dead_letters.filters import LetterFilter, State
from hookline.dead_letters.groups import Group, Groups
from hookline.dead_letters.letters import Letter, Position
from hookline.dead_letters.reading import DeadLetterReader, Seen, dead_letter_topics, opened_access
from hookline.errors import HooklineError, TopicMissing
from hookline.settings.tree import Settings
from hookline.telemetry.mask_rules import MaskRules
from hookline.telemetry.masking import mask_text, printable

LOOKED_AT_MAX = 100_000
"""So many dead letters are looked at for one page; the command line looks at all."""
_SECONDS_MAX = 15.0


class LetterViews:
    """Looks at the dead letters of one service's settings; one look at a time, so that delivery goes on."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._looking = asyncio.Lock()
        self.topics = dead_letter_topics(settings)

    async def letters(self, query: LettersQuery, shown: MaskRules | None) -> Letters:
        """Those that are meant; `shown` lets keys be seen. Raises `Refused` for a wrong time, or without Kafka."""
        try:
            chosen = query.meant(datetime.now(UTC))
        except ValueError as error:
            raise Refused(400, printable(str(error))) from None
        groups, latest, missing = Groups(), deque[Seen](maxlen=query.limit), list[str]()
        looked_at, give_up = 0, self._clock() + _SECONDS_MAX
        async with self._looking:
            try:
                async with opened_access(self._settings) as access:
                    reader = DeadLetterReader(access, self._settings)
                    for topic in self.topics:
                        try:
                            survey = await reader.survey(topic)
                        except TopicMissing:
                            missing.append(topic)
                            continue
                        async for batch in reader.batches(survey, chosen):
                            for letter, state in batch:
                                looked_at += 1
                                if chosen.matches(letter, state):
                                    groups.add(letter, state)
                                    latest.append(Seen(letter, state))
                            if looked_at >= LOOKED_AT_MAX or self._clock() > give_up:
                                break
                            # Delivery comes first.
                            await asyncio.sleep(0)
            except HooklineError as error:
                raise Refused(503, f"Kafka cannot be asked for dead letters: {printable(str(error))}") from None
        is_complete = looked_at < LOOKED_AT_MAX and self._clock() <= give_up
        newest_first = sorted(latest, key=_failed_at, reverse=True)
        return Letters(
            topics=self.topics,
            missing=missing,
            matching=groups.count,
            groups=[_group(group) for group in groups.largest_first()],
            letters=[LetterItem(**_item(letter, state, shown)) for letter, state in newest_first],
            looked_at=looked_at,
            is_complete=is_complete,
        )

    async def letter(self, position: Position, shown: MaskRules | None) -> LetterDetail:
        """One; `shown` lets its payloads be seen. Raises `Refused` when it is not there, or without Kafka."""
        if position.topic not in self.topics:
            raise Refused(404, f"{printable(position.topic)} is no dead-letter topic of this process.")
        try:
            async with self._looking, opened_access(self._settings) as access:
                reader = DeadLetterReader(access, self._settings)
                survey = await reader.survey(position.topic)
                async for batch in reader.batches(survey, LetterFilter(positions=frozenset({position}))):
                    for letter, state in batch:
                        if letter.position == position:
                            return _detail(letter, state, shown)
        except TopicMissing:
            pass
        except HooklineError as error:
            raise Refused(503, f"Kafka cannot be asked for dead letters: {printable(str(error))}") from None
        raise Refused(404, "There is no such dead letter, or it was deleted.")


def _failed_at(seen: Seen) -> float:
    return _seconds(seen.letter.failed_at) or 0.0


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _group(group: Group) -> LetterGroup:
    return LetterGroup(
        reason=group.reason,
        count=group.count,
        states={state.value: group.states[state] for state in State if group.states[state]},
        statuses={str(status): count for status, count in group.statuses.most_common(10)},
        source_topics={printable(topic): count for topic, count in group.source_topics.most_common(10)},
        first_failed_at=_seconds(group.first_failed_at),
        last_failed_at=_seconds(group.last_failed_at),
        advice=group.advice,
    )


def _item(letter: Letter, state: State, shown: MaskRules | None) -> dict[str, object]:
    position = letter.position
    return {
        "id": str(position),
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
        "state": state.value,
        "reason": letter.reason,
        "detail": printable(mask_text(letter.detail)),
        "status": letter.status,
        "attempts": letter.attempts,
        "redrives": letter.redrives,
        "failed_at": _seconds(letter.failed_at),
        "source": "" if letter.source is None else f"{letter.source}-{letter.source_offset}",
        "key": key_text(letter.record.key, shown),
    }


def _detail(letter: Letter, state: State, shown: MaskRules | None) -> LetterDetail:
    group = Group(letter.reason)
    value = letter.record.value
    return LetterDetail(
        **_item(letter, state, shown),
        problems=[printable(problem) for problem in letter.problems],
        first_attempt_at=_seconds(letter.first_attempt_at),
        group=printable(letter.group),
        version=printable(letter.version),
        redriven_from=printable(letter.redriven_from),
        timestamp=letter.record.timestamp / 1000 if letter.record.timestamp >= 0 else None,
        headers=[header_text(name, content, shown) for name, content in letter.own_headers],
        value_bytes=None if value is None else len(value),
        value=payload_text(value, shown),
        answer=payload_text(letter.answer, shown),
        advice=group.advice,
    )
