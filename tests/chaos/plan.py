"""Which faults happen, when and to whom: drawn from a seed, and the same for the same seed, number and members."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The kinds of fault, in the words of timeline and report."""

    KILL = "kill"
    TERMINATE = "terminate"
    FREEZE = "freeze"
    FLAPPING = "flapping"
    BROKERS_ROLLING = "brokers rolling"
    BROKER_KILLED = "broker killed"
    BROKERS_KILLED = "all brokers killed"
    COORDINATOR_MOVED = "coordinator moved"
    COORDINATOR_KILLED = "coordinator killed"
    SERVICE_DOWN = "service down"
    SERVICE_ERRORS = "service errors"
    SERVICE_THROTTLES = "service throttles"
    SERVICE_STALLS = "service stalls"
    SERVICE_SLOW = "service slow"
    SERVICE_RUBBISH = "service rubbish"
    NETWORK_TO_BROKERS = "network to brokers"
    NETWORK_TO_SERVICE = "network to service"
    PARTITIONS_ADDED = "partitions added"


BEHAVIOURS = {
    Kind.SERVICE_DOWN: "down",
    Kind.SERVICE_ERRORS: "errors",
    Kind.SERVICE_THROTTLES: "throttle",
    Kind.SERVICE_STALLS: "stall",
    Kind.SERVICE_SLOW: "slow",
    Kind.SERVICE_RUBBISH: "rubbish",
}
"""What the receiver is told."""

REALMS = {
    **dict.fromkeys((Kind.KILL, Kind.TERMINATE, Kind.FREEZE), "members"),
    **dict.fromkeys((kind for kind in Kind if "broker" in kind or "coordinator" in kind), "brokers"),
    **dict.fromkeys(BEHAVIOURS, "service"),
    Kind.NETWORK_TO_BROKERS: "network",
    Kind.NETWORK_TO_SERVICE: "network",
    Kind.FLAPPING: "group",
    Kind.PARTITIONS_ADDED: "topic",
}
"""What a fault has for itself: two of one realm never happen at once."""

_SECONDS = {
    Kind.KILL: (0.5, 3.0),
    Kind.TERMINATE: (0.2, 2.0),
    Kind.FREEZE: (8.0, 11.0),
    Kind.FLAPPING: (12.0, 16.0),
    Kind.BROKERS_ROLLING: (0.5, 1.5),
    Kind.BROKER_KILLED: (3.0, 7.0),
    Kind.BROKERS_KILLED: (1.0, 4.0),
    Kind.COORDINATOR_MOVED: (2.0, 5.0),
    Kind.COORDINATOR_KILLED: (3.0, 7.0),
    Kind.SERVICE_DOWN: (3.0, 8.0),
    Kind.SERVICE_ERRORS: (3.0, 8.0),
    Kind.SERVICE_THROTTLES: (3.0, 6.0),
    Kind.SERVICE_STALLS: (4.0, 8.0),
    Kind.SERVICE_SLOW: (4.0, 8.0),
    Kind.SERVICE_RUBBISH: (3.0, 6.0),
    Kind.NETWORK_TO_BROKERS: (2.0, 10.0),
    Kind.NETWORK_TO_SERVICE: (2.0, 8.0),
    Kind.PARTITIONS_ADDED: (1.0, 1.0),
}
_AT_ONCE_SHARE = 0.3
_DELAY_SECONDS = (0.05, 0.4)


@dataclass(frozen=True)
class Fault:
    """One fault. `seconds` is how long it lasts, or for what is restarted how long it is away.

    `member` and `broker` are indexes. `network` is cut, hold, swallow or delay, in `directions`; it concerns the one
    member, or all for None. `share` is that of the requests that the service misbehaves at.
    """

    kind: Kind
    seconds: float
    member: int | None = None
    broker: int = 0
    network: str = ""
    directions: tuple[str, ...] = ()
    delay_seconds: float = 0.0
    share: float = 1.0

    def __str__(self) -> str:
        words = [str(self.kind)]
        if self.kind in (Kind.KILL, Kind.TERMINATE, Kind.FREEZE):
            words.append(f"of member {self.member}")
        if self.kind is Kind.BROKER_KILLED:
            words.append(f"(broker {self.broker})")
        if self.network:
            words.append(self.network)
            words.append("" if self.network == "cut" else " and ".join(self.directions).replace("_", " "))
            words.append("of all members" if self.member is None else f"of member {self.member}")
        if self.delay_seconds:
            words.append(f"by {self.delay_seconds * 1000:.0f} ms")
        if self.share < 1.0:
            words.append(f"for {self.share:.0%} of the requests")
        return " ".join(filter(None, words)) + f", {self.seconds:.1f} s"


@dataclass(frozen=True)
class Step:
    """Faults at once, `after_seconds` after their records begin to come."""

    after_seconds: float
    faults: tuple[Fault, ...]


def draw_plan(seed: int, faults: int, members: int, kinds: tuple[Kind, ...] = tuple(Kind)) -> list[Step]:
    """So many faults of these kinds in steps; each kind once before any comes again."""
    drawn = random.Random(f"{seed} {faults} {members}")
    order: list[Kind] = []
    while len(order) < faults:
        order += drawn.sample(kinds, len(kinds))
    del order[faults:]
    steps: list[Step] = []
    while order:
        kinds_now = [order.pop(0)]
        if drawn.random() < _AT_ONCE_SHARE and order and REALMS[order[0]] != REALMS[kinds_now[0]]:
            kinds_now.append(order.pop(0))
        steps.append(Step(drawn.uniform(0.2, 1.0), tuple(_draw(drawn, kind, members) for kind in kinds_now)))
    return steps


def _draw(drawn: random.Random, kind: Kind, members: int) -> Fault:
    seconds = round(drawn.uniform(*_SECONDS[kind]), 2)
    member = drawn.randrange(members)
    if kind in BEHAVIOURS:
        share = 1.0 if kind is Kind.SERVICE_DOWN else drawn.choice((0.3, 0.7, 1.0))
        return Fault(kind, seconds, share=share)
    if kind in (Kind.NETWORK_TO_BROKERS, Kind.NETWORK_TO_SERVICE):
        network = drawn.choice(("cut", "hold", "swallow", "delay"))
        directions = drawn.choice((("to_server",), ("to_client",), ("to_server", "to_client")))
        delay = round(drawn.uniform(*_DELAY_SECONDS), 3) if network == "delay" else 0.0
        concerned = None if drawn.random() < 0.3 else member
        return Fault(kind, seconds, concerned, network=network, directions=directions, delay_seconds=delay)
    return Fault(kind, seconds, member, drawn.randrange(3))
