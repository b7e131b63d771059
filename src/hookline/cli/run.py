"""`hookline run`: the service itself."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from hookline.cli.error_context import errors_located
from hookline.cli.settings_options import SettingsCommand, given_flags, loaded_settings
from hookline.errors import SettingsError
from hookline.settings.loading import LoadedSettings

MOST_WORKERS = 256


@click.command(
    cls=SettingsCommand,
    lists_settings=True,
    examples="""
    hookline run
    hookline run -c hookline.yaml
    hookline run -c hookline.yaml --workers 4
    hookline run --kafka.servers kafka:9092 --kafka.topics sessions --deliver.url https://service.example.com/check
    """,
)
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    metavar="N",
    help="Run N processes that share the partitions, for more than one core; bounds and limits hold for each.",
)
@click.option("--worker", type=(int, int), hidden=True, metavar="NUMBER DESCRIPTOR")
def run(config: Path | None, workers: int | None, worker: tuple[int, int] | None) -> int:
    """Deliver records until stopped.

    SIGTERM and Ctrl-C stop it in good order: what is under way is finished, offsets are committed, the group is left. A
    second one stops it at once. Flags go over environment variables (HOOKLINE_KAFKA__GROUP_ID), those over the file.
    """
    loaded = loaded_settings(config)
    if workers is not None:
        return _run_workers(loaded, config, workers)
    # Imported late: settings that are wrong are told at once, and help needs none of it.
    from hookline.cli.adapter_checks import check_adapters
    from hookline.console.interface import console_of
    from hookline.console.worker_answers import WorkerAnswers
    from hookline.service.delivery_service import DeliveryService
    from hookline.service.process import Companion, run_until_signalled
    from hookline.service.worker_channel import WorkerChannel
    from hookline.service.worker_settings import worker_settings
    from hookline.telemetry.logs import configure_logging
    from hookline.telemetry.own_secrets import OwnSecrets

    settings = loaded.settings if worker is None else worker_settings(loaded.settings, worker[0])
    configure_logging(settings.log, OwnSecrets.of(settings), fixed=None if worker is None else {"worker": worker[0]})
    with errors_located(loaded):
        try:
            service = DeliveryService(settings)
            companions: list[Companion] = []
            if worker is not None:
                companions = [WorkerChannel(service, worker[1], WorkerAnswers(service).answer)]
            elif settings.console.listen is not None:
                companions = [console_of(service, loaded)]
            return run_until_signalled(service, companions)
        except SettingsError:
            # A start ends at the first mistake; this tells them all.
            check_adapters(settings)
            raise


def _run_workers(loaded: LoadedSettings, config: Path | None, workers: int) -> int:
    """Supervise processes of this same command, each with the same settings."""
    from hookline.console.interface import workers_console
    from hookline.service.process import Companion, run_until_signalled
    from hookline.service.supervisor import Supervisor
    from hookline.service.worker_settings import check_member_names
    from hookline.telemetry.logs import configure_logging
    from hookline.telemetry.own_secrets import OwnSecrets

    settings = loaded.settings
    configure_logging(settings.log, OwnSecrets.of(settings))
    arguments = [] if config is None else ["--config", str(config)]
    arguments += [f"--{key}={value}" for key, values in given_flags().items() for value in values]

    def command(number: int, descriptor: int) -> list[str]:
        # -P: whatever lies in the present folder is not to be imported.
        start = [sys.executable, "-P", "-m", "hookline.cli.main", "run", "--worker", str(number), str(descriptor)]
        return start + arguments

    with errors_located(loaded):
        check_member_names(settings, workers)
        supervisor = Supervisor(
            command,
            workers,
            stall_seconds=settings.console.stall_timeout,
            drain_seconds=settings.deliver.drain_timeout,
        )
        companions: list[Companion] = []
        if settings.console.listen is not None:
            companions = [workers_console(supervisor, loaded)]
        return run_until_signalled(supervisor, companions)
