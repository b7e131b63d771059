"""What the rates in the settings allow one process, in books of their own: never less than the product may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookline.settings.deliver import DeliverRate

if TYPE_CHECKING:
    from tests.simulation.plan import Entry
    from tests.simulation.process import Process

_ROUNDING = 1e-6


class Meter:
    """One rate. `level` is what may be sent now; it begins with nothing and gathers what its burst allows."""

    def __init__(self, name: str, per_second: float, burst_seconds: float, now: float) -> None:
        self.name = name
        self.per_second = self._whole = per_second
        self._burst_seconds = burst_seconds
        self._seen_at = now
        self.level = 0.0

    @property
    def most(self) -> float:
        """What it gathers and no more."""
        return max(1.0, self.per_second * self._burst_seconds)

    def pass_time(self, now: float) -> None:
        """Gather what came since."""
        gathered = self.level + (now - self._seen_at) * self.per_second
        self.level = max(self.level, min(gathered, self.most))
        self._seen_at = now

    def share(self, share: float, now: float) -> None:
        """It is only this part of itself from now on, and what goes takes its part of what has gathered with it."""
        self.pass_time(now)
        before, self.per_second = self.per_second, self._whole * share
        if self.per_second < before and self.level > 0:
            self.level *= self.per_second / before


class Meters:
    """All rates of a process: its own, and its share of the group's."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world
        deliver = self._world.settings.deliver
        appears_at = self._world.plan.appears_at
        # Those that are added later are nothing that the brokers told of.
        self._partitions = sum(not appears_at[partition] for partition in self._world.logs)
        now = self._world.loop.time()
        self._counts, self._sizes = _meters("deliver.rate", deliver.rate, now)
        self._fleet_counts, self._fleet_sizes = _meters("deliver.fleet_rate", deliver.fleet_rate, now)
        self.shared()

    def shared(self) -> None:
        """Partitions have come or gone."""
        share = min(1.0, len(self._process.tenures) / self._partitions) if self._partitions else 1.0
        for meter in (*self._fleet_counts, *self._fleet_sizes):
            meter.share(share, self._world.loop.time())

    def sent(self, entry: Entry) -> None:
        """A request was sent: a whole one's worth must have gathered, and no byte be owed."""
        now = self._world.loop.time()
        for meters, least, cost in (
            ((*self._counts, *self._fleet_counts), 1.0, 1.0),
            ((*self._sizes, *self._fleet_sizes), 0.0, float(len(entry.value or b""))),
        ):
            for meter in meters:
                meter.pass_time(now)
                if meter.level < least - _ROUNDING:
                    text = f"sends {entry} though {meter.name} of {meter.per_second:g} a second has {meter.level:.3f}"
                    self._world.oracle.broken(16, self._process.name, text)
                meter.level -= cost

    def may_have_held(self, seconds: float) -> bool:
        """Whether a rate can be why nothing was sent for so long."""
        if self._fleet_counts or self._fleet_sizes:
            return True
        now = self._world.loop.time()
        for least, meters in ((1.0, self._counts), (0.0, self._sizes)):
            for meter in meters:
                meter.pass_time(now)
                if meter.level < min(least + seconds * meter.per_second, meter.most):
                    return True
        return False


def _meters(name: str, rate: DeliverRate, now: float) -> tuple[list[Meter], list[Meter]]:
    counts = [Meter(f"{name}.records", rate.records, rate.burst, now)] if rate.records else []
    sizes = [Meter(f"{name}.bytes", rate.bytes, rate.burst, now)] if rate.bytes else []
    return counts, sizes
