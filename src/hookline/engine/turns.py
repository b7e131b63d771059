"""Whose turn it is: partitions with something to send take turns, so that a busy one keeps no other waiting."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from hookline.engine.assignment import Assignment
from hookline.engine.delivery import Delivery


class Turns:
    """What is ready, in its order within each partition, and one of each partition after the other.

    `ready` counts all. An assignment is in the rotation exactly while its own queue has something; what is fenced or
    drains is dropped when its turn comes.
    """

    __slots__ = ("_rotation", "ready")

    def __init__(self) -> None:
        self._rotation: deque[Assignment] = deque()
        self.ready = 0

    def add(self, delivery: Delivery) -> None:
        """This one may go when all that is ready of its partition went."""
        assignment = delivery.assignment
        if not assignment.ready:
            self._rotation.append(assignment)
        assignment.ready.append(delivery)
        self.ready += 1

    def add_first(self, delivery: Delivery) -> None:
        """This one may go before all that is ready of its partition."""
        assignment = delivery.assignment
        if not assignment.ready:
            self._rotation.append(assignment)
        assignment.ready.appendleft(delivery)
        self.ready += 1

    def added(self, assignment: Assignment, count: int) -> None:
        """So many were put at the end of the assignment's own queue."""
        if count:
            if len(assignment.ready) == count:
                self._rotation.append(assignment)
            self.ready += count

    def take(self) -> Delivery | None:
        """The next one, which is ready no more; None when there is none."""
        rotation = self._rotation
        while rotation:
            assignment = rotation.popleft()
            queue = assignment.ready
            if assignment.fenced or assignment.draining:
                self.ready -= len(queue)
                queue.clear()
                continue
            if assignment.halted:
                self.ready -= len(queue)
                assignment.deferred.update(dict.fromkeys(queue))
                queue.clear()
                continue
            delivery = queue.popleft()
            self.ready -= 1
            if queue:
                rotation.append(assignment)
            return delivery
        return None

    def remove(self, delivery: Delivery) -> bool:
        """Take one out of turn; False when it is not ready."""
        assignment = delivery.assignment
        if delivery not in assignment.ready:
            return False
        assignment.ready.remove(delivery)
        self.ready -= 1
        if not assignment.ready:
            self._rotation.remove(assignment)
        return True

    def count(self, chosen: Callable[[Delivery], bool]) -> int:
        """How many that are ready a function says yes to. O(ready)."""
        return sum(chosen(delivery) for assignment in self._rotation for delivery in assignment.ready)

    def take_all(self, chosen: Callable[[Delivery], bool]) -> list[Delivery]:
        """Take those out that a function says yes to; what is fenced goes too, and is not among them. O(ready)."""
        taken: list[Delivery] = []
        for assignment in self._rotation:
            kept: deque[Delivery] = deque()
            if not assignment.fenced:
                for delivery in assignment.ready:
                    (taken if chosen(delivery) else kept).append(delivery)
            self.ready -= len(assignment.ready) - len(kept)
            assignment.ready = kept
        self._rotation = deque(assignment for assignment in self._rotation if assignment.ready)
        return taken
