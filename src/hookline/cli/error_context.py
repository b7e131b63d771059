"""Errors of a running service, made fit to be shown: with the place of the setting, without any secret of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hookline.errors import HooklineError, SettingsError
from hookline.settings.loading import LoadedSettings


@contextmanager
def errors_located(loaded: LoadedSettings) -> Iterator[None]:
    """Let `HooklineError` pass with our secrets taken out, and `SettingsError` say where the setting is from."""
    from hookline.telemetry.own_secrets import OwnSecrets

    try:
        yield
    except HooklineError as error:
        shown = loaded.located(error) if isinstance(error, SettingsError) else error
        shown.args = (OwnSecrets.of(loaded.settings).redact(str(shown)),)
        if shown is error:
            raise
        raise shown from error
