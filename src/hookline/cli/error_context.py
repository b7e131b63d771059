"""Errors of a running service, made fit to be shown: with the place of the setting, without any secret of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hookline.errors import HooklineError, SettingsError
from hookline.settings.loading import LoadedSettings
from hookline.telemetry.own_secrets import OwnSecrets

_known: list[OwnSecrets] = []


def redacted(text: str) -> str:
    """The text without any secret of the settings that this process has loaded; for tracebacks, which have causes."""
    for secrets in _known:
        text = secrets.redact(text)
    return text


@contextmanager
def errors_located(loaded: LoadedSettings) -> Iterator[None]:
    """Let `HooklineError` pass with our secrets taken out, and `SettingsError` say where the setting is from.

    From here on `redacted` knows these secrets too.
    """
    secrets = OwnSecrets.of(loaded.settings)
    _known.append(secrets)
    try:
        yield
    except HooklineError as error:
        shown = loaded.located(error) if isinstance(error, SettingsError) else error
        shown.args = (secrets.redact(str(shown)),)
        if shown is error:
            raise
        raise shown from error
