"""`hookline run`: the service itself."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import click

from hookline.cli.error_context import errors_located
from hookline.cli.settings_options import SettingsCommand, loaded_settings
from hookline.errors import SettingsError


@click.command(
    cls=SettingsCommand,
    lists_settings=True,
    examples="""
    hookline run
    hookline run -c hookline.yaml
    hookline run --kafka.servers kafka:9092 --kafka.topics sessions --deliver.url https://service.example.com/check
    """,
)
def run(config: Path | None) -> int:
    """Deliver records until stopped.

    SIGTERM and Ctrl-C stop it in good order: what is under way is finished, offsets are committed, the group is left. A
    second one stops it at once. Flags go over environment variables (HOOKLINE_KAFKA__GROUP_ID), those over the file.
    """
    # Until the loop has its own handler: to be stopped while starting is no failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    loaded = loaded_settings(config)
    # Imported late: settings that are wrong are told at once, and help needs none of it.
    from hookline.cli.adapter_checks import check_adapters
    from hookline.console.interface import console_of
    from hookline.service.delivery_service import DeliveryService
    from hookline.service.process import run_until_signalled
    from hookline.telemetry.logs import configure_logging
    from hookline.telemetry.own_secrets import OwnSecrets

    settings = loaded.settings
    configure_logging(settings.log, OwnSecrets.of(settings))
    with errors_located(loaded):
        try:
            service = DeliveryService(settings)
            companions = [] if settings.console.listen is None else [console_of(service, loaded)]
            return run_until_signalled(service, companions)
        except SettingsError:
            # A start ends at the first mistake; this tells them all.
            check_adapters(settings)
            raise
