"""What only the Kafka client and the sender can check: their raw options, certificates and secrets."""

from __future__ import annotations

import asyncio

from hookline.engine.delivery import Delivery
from hookline.engine.verdicts import Outcome
from hookline.errors import SettingsError
from hookline.settings.problems import CollectedErrors
from hookline.settings.tree import Settings


def check_adapters(settings: Settings) -> None:
    """Raise one `SettingsError` for all that an adapter does not take; connects to nothing."""
    asyncio.run(_check(settings))


async def _check(settings: Settings) -> None:
    from hookline.http.header_rules import check_headers
    from hookline.kafka.option_checks import check_options

    errors = CollectedErrors()
    with errors.collecting():
        await check_options(settings.kafka, settings.dead_letter)
    try:
        check_headers(settings.deliver.headers, "deliver.headers")
    except SettingsError as error:
        errors.keep(error)
        # What else a sender would complain of can be found without them.
        deliver = settings.deliver.model_copy(update={"headers": {}})
        settings = settings.model_copy(update={"deliver": deliver})
    with errors.collecting():
        await _check_sender(settings)
    errors.raise_any()


async def _check_sender(settings: Settings) -> None:
    from hookline.http.adapters import make_sender

    sender = make_sender(settings)
    try:
        await sender.start(_ignored)
    finally:
        await sender.stop()


def _ignored(_delivery: Delivery, _outcome: Outcome) -> None:
    """Nothing is sent, so nothing comes back."""
