"""The whole tree."""

from __future__ import annotations

from hookline.settings.deliver import Deliver
from hookline.settings.kafka import Kafka
from hookline.settings.operation import Console, Log, Trace
from hookline.settings.policy import Bounds, Breaker, Commit, DeadLetter, Retry, Verdicts
from hookline.settings.section import Section


class Settings(Section):
    """All settings, with the defaults of the documented service."""

    kafka: Kafka = Kafka()
    deliver: Deliver = Deliver()
    verdicts: Verdicts = Verdicts()
    retry: Retry = Retry()
    breaker: Breaker = Breaker()
    bounds: Bounds = Bounds()
    commit: Commit = Commit()
    dead_letter: DeadLetter = DeadLetter()
    console: Console = Console()
    log: Log = Log()
    trace: Trace = Trace()
