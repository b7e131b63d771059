"""One redrive of a topic at a time, everywhere: by the membership of the redrive's consumer group.

Kafka itself keeps who is in a group, and forgets a process that died when its session is over. A redrive gives itself a
client id that says who it is; whoever finds another one there is refused, and names it. Looking before joining is not
enough, since two can look at once: so each looks once more after it joined and before it sends anything. Of two that
meet there, the one that began later leaves; the other waits until it is gone.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from hookline.errors import OperationRefused
from hookline.kafka.ports import GroupMember, TopicAccess

_PREFIX = "hookline-redrive"
_CLIENT_ID = re.compile(rf"{_PREFIX}\.(\d{{8}}T\d{{12}}Z)\.(\d+)\.([0-9a-f]{{8}})\.(.+)")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]")
_MOMENT = "%Y%m%dT%H%M%S%fZ"
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Redriver:
    """Who redrives: the process, its host, and since when."""

    since: datetime
    pid: int
    token: str
    host: str

    @classmethod
    def here(cls) -> Redriver:
        """This process, from now on."""
        host = _UNSAFE.sub("-", socket.gethostname())[:100] or "unknown"
        return cls(datetime.now(UTC), os.getpid(), secrets.token_hex(4), host)

    @classmethod
    def of(cls, client_id: str) -> Redriver | None:
        """Who has this client id; None when it is no redrive of ours."""
        match = _CLIENT_ID.fullmatch(client_id)
        if match is None:
            return None
        try:
            since = datetime.strptime(match[1], _MOMENT).replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(since, int(match[2]), match[3], match[4])

    @property
    def client_id(self) -> str:
        """The client id, by which others know it."""
        return f"{_PREFIX}.{self.since.strftime(_MOMENT)}.{self.pid}.{self.token}.{self.host}"

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since:%Y-%m-%d %H:%M:%S} UTC"


class Exclusion:
    """Makes sure that `me` is the only one that redrives a topic.

    `clock` is in seconds and never goes back; `session_seconds` is how long Kafka waits for a member that is silent.
    """

    def __init__(
        self,
        access: TopicAccess,
        topic: str,
        group_id: str,
        me: Redriver,
        session_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._topic = topic
        self._group_id = group_id
        self._me = me
        self._session_seconds = session_seconds
        self._clock = clock
        self._deadline: float | None = None

    async def refuse_if_held(self) -> None:
        """Before joining; raises `OperationRefused` naming who redrives this topic now."""
        others = await self._others()
        if others:
            raise self._refusal(others)

    async def is_alone(self) -> bool:
        """After joining, before anything is sent: whether nobody else is in the group; to be asked until it is so.

        Raises `OperationRefused` when another one was there first, or does not go away.
        """
        others = await self._others()
        if not others:
            self._deadline = None
            return True
        self._deadline = self._deadline or self._clock() + self._session_seconds + _GRACE_SECONDS
        first = min(others, key=_order)
        if _order(first) < (self._me.since, self._me.client_id) or self._clock() > self._deadline:
            raise self._refusal([first])
        return False

    async def _others(self) -> Sequence[GroupMember]:
        members = await self._access.members(self._group_id)
        return [member for member in members if member.client_id != self._me.client_id]

    def _refusal(self, others: Sequence[GroupMember]) -> OperationRefused:
        return OperationRefused(
            f"{self._topic} is being redriven already, by {'; '.join(map(_described, others))}. Nothing was done. Wait"
            f" for it, or end it; of a process that died, Kafka knows after {self._session_seconds:g} s"
        )


def _order(member: GroupMember) -> tuple[datetime, str]:
    """Who came first; a stranger was there before everyone."""
    redriver = Redriver.of(member.client_id)
    return (redriver.since if redriver is not None else datetime.min.replace(tzinfo=UTC), member.client_id)


def _described(member: GroupMember) -> str:
    redriver = Redriver.of(member.client_id)
    who = str(redriver) if redriver is not None else f"a member that calls itself {member.client_id!r}"
    return f"{who} (connected from {member.host})"
