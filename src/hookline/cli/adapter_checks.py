"""What only the Kafka client and the sender can check: their raw options, certificates and secrets."""

from __future__ import annotations

import asyncio

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Outcome
from hookline.settings.tree import Settings


def check_adapters(settings: Settings) -> None:
    """Raise `SettingsError` for what an adapter does not take; connects to nothing."""
    asyncio.run(_check(settings))


async def _check(settings: Settings) -> None:
    from hookline.http.adapters import make_sender
    from hookline.kafka.option_checks import check_options

    await check_options(settings.kafka, settings.dead_letter)
    sender = make_sender(settings)
    try:
        await sender.start(_ignored)
    finally:
        await sender.stop()


def _ignored(_delivery: Delivery, _outcome: Outcome) -> None:
    """Nothing is sent, so nothing comes back."""
