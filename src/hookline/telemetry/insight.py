"""What is remembered for people who look, as long as there is a console that shows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hookline.telemetry.changes import Changes
from hookline.telemetry.history import History
from hookline.telemetry.recent_deliveries import RecentDeliveries


@dataclass(slots=True)
class Insight:
    """The last hour of figures, what changed lately, and recent deliveries; all bounded."""

    history: History = field(default_factory=History)
    changes: Changes = field(default_factory=Changes)
    deliveries: RecentDeliveries = field(default_factory=RecentDeliveries)
