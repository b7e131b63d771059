"""The story of a run: what happened, step by step, for people."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hookline.telemetry.log_event import LogEvent

_DULL_FIELDS = frozenset({"topics", "group_id", "url", "client", "sender", "version", "suppressed"})


class Story(logging.Handler):
    """Keeps steps as they come, with what the product logs among them; nothing unless it is told."""

    def __init__(self, is_told: bool) -> None:
        super().__init__()
        self.is_told = is_told
        self.clock: Callable[[], float] = lambda: 0.0
        self.lines: list[str] = []

    def add(self, at: float, who: str, template: str, about: tuple[object, ...]) -> None:
        """Somebody did something, or something happened to them."""
        if self.is_told:
            self.lines.append(f"{at:9.3f}  {who:<12}  {template.format(*about)}")

    def emit(self, record: logging.LogRecord) -> None:
        """What the product says itself."""
        said = record.msg
        if isinstance(said, LogEvent):
            # Its own text masks keys, differently in each process; those of a simulation are nobody's.
            fields = " ".join(f"{name}={value!r}" for name, value in said.fields.items() if name not in _DULL_FIELDS)
            said = f"{said.name} {fields}"
        self.lines.append(f"{self.clock():9.3f}  {'  (log)':<12}  {record.levelname.lower()}: {said}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear what the product logs, or keep it quiet when no story is told."""
        logger = logging.getLogger("hookline")
        level, propagate = logger.level, logger.propagate
        logger.propagate = False
        logger.setLevel(logging.INFO if self.is_told else logging.CRITICAL + 1)
        if self.is_told:
            logger.addHandler(self)
        try:
            yield
        finally:
            logger.removeHandler(self)
            logger.setLevel(level)
            logger.propagate = propagate
