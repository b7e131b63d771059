"""Lanes: the records that must go one after another.

A lane is a chain of deliveries of which only the first may be sent. The chain is made of the deliveries themselves
(`Delivery.behind`), and the table holds only its last one: a lane that nobody waits in costs one dictionary entry,
and entering and leaving are O(1) however many wait.
"""

from __future__ import annotations

from typing import Protocol

from hookline.engine.delivery import Delivery


class Lanes(Protocol):
    """Who must wait for whom within one assignment of a partition."""

    def enter(self, delivery: Delivery) -> bool:
        """Take the last place in its lane; True when that is also the first, so that it may be sent."""

    def leave(self, delivery: Delivery) -> Delivery | None:
        """Free the first place, which `delivery` has; returns who may be sent now, if anyone waited."""

    def occupied(self) -> int:
        """How many lanes have somebody in them."""


class KeyLanes:
    """One lane a key. Records without a key have no order, or with `keyless_in_order` a lane of their own."""

    __slots__ = ("_keyless_in_order", "_last")

    def __init__(self, keyless_in_order: bool) -> None:
        self._keyless_in_order = keyless_in_order
        self._last: dict[bytes | None, Delivery] = {}

    def enter(self, delivery: Delivery) -> bool:
        key = delivery.record.key
        if key is None and not self._keyless_in_order:
            return True
        last = self._last.get(key)
        self._last[key] = delivery
        if last is None:
            return True
        last.behind = delivery
        return False

    def leave(self, delivery: Delivery) -> Delivery | None:
        following = delivery.behind
        if following is not None:
            delivery.behind = None
            return following
        key = delivery.record.key
        if key is not None or self._keyless_in_order:
            del self._last[key]
        return None

    def occupied(self) -> int:
        return len(self._last)


class PartitionLane:
    """One lane for the whole partition."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: Delivery | None = None

    def enter(self, delivery: Delivery) -> bool:
        last, self._last = self._last, delivery
        if last is None:
            return True
        last.behind = delivery
        return False

    def leave(self, delivery: Delivery) -> Delivery | None:
        following = delivery.behind
        delivery.behind = None
        if following is None:
            self._last = None
        return following

    def occupied(self) -> int:
        return 0 if self._last is None else 1


class NoLanes:
    """No order: every record is its own lane."""

    __slots__ = ()

    def enter(self, delivery: Delivery) -> bool:
        return True

    def leave(self, delivery: Delivery) -> Delivery | None:
        return None

    def occupied(self) -> int:
        return 0
