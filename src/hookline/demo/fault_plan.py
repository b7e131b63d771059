"""The fixed plan by which the sample service misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from hookline.demo.behaviours import Behaviour


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong from `begins_at_seconds` to `ends_at_seconds` after the first record; `says` what."""

    behaviour: Behaviour
    says: str
    begins_at_seconds: float
    ends_at_seconds: float


_PLAN = (
    (Behaviour.SLOW, "the service is slow: each answer takes 100 ms", 0.20, 0.30),
    (Behaviour.REFUSE, "the service answers 503", 0.35, 0.42),
    (Behaviour.STALL, "the service takes requests and does not answer", 0.50, 0.57),
    (Behaviour.DEAD, "the service is down: its port is closed", 0.65, 0.72),
    (Behaviour.RESET, "the service resets each third connection", 0.80, 0.90),
)


def fault_plan(run_seconds: float) -> tuple[Fault, ...]:
    """The faults of a run that produces for `run_seconds`: one after another, the service being well in between."""
    return tuple(
        Fault(behaviour, says, begins * run_seconds, ends * run_seconds) for behaviour, says, begins, ends in _PLAN
    )


class FaultRunner:
    """Carries out a plan: `behave` commands the service, `say` tells a person when a fault begins and ends.

    `current` is the fault of this moment.
    """

    def __init__(
        self, plan: Iterable[Fault], behave: Callable[[Behaviour], Awaitable[None]], say: Callable[[str], None]
    ) -> None:
        self._plan = tuple(plan)
        self._behave = behave
        self._say = say
        self.current: Fault | None = None

    async def run(self) -> None:
        """From now on, until the plan is over; when cancelled, the service is made well first."""
        loop = asyncio.get_running_loop()
        started_at = loop.time()
        for fault in self._plan:
            await asyncio.sleep(started_at + fault.begins_at_seconds - loop.time())
            try:
                self.current = fault
                self._say(f"{fault.says} (until {fault.ends_at_seconds:.3g} s)")
                await self._behave(fault.behaviour)
                await asyncio.sleep(started_at + fault.ends_at_seconds - loop.time())
            finally:
                self.current = None
                await self._behave(Behaviour.NORMAL)
            self._say("the service is well again")
