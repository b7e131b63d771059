"""Hookline: Kafka records, delivered to HTTP services."""

from __future__ import annotations

from hookline.version import __version__

# Type checkers take this name for true; importing it would cost the command a third of its start.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hookline.consumer_service import AsyncKafkaConsumerService, main

__all__ = ["AsyncKafkaConsumerService", "__version__", "main"]


def __getattr__(name: str) -> Any:
    """Import the documented class when it is first asked for, so that the command starts quickly."""
    if name in ("AsyncKafkaConsumerService", "main"):
        from hookline import consumer_service

        return getattr(consumer_service, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
