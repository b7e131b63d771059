"""The token for OAUTHBEARER, read from its file each time that a client needs one."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import time
from pathlib import Path

from hookline.errors import SettingsError

_log = logging.getLogger("hookline.kafka")

# A token that does not tell when it ends is read again this often; librdkafka asks after four fifths of a lifetime.
_UNKNOWN_LIFETIME_SECONDS = 300.0


class TokenFile:
    """Reads the token anew each time; librdkafka calls it, on a thread of its own.

    A call answers the token and when it expires, in seconds since 1970: the `exp` of a JSON Web Token (RFC 7519), or
    a few minutes from now for any other. Raises `SettingsError` when the file can't be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.read()

    def __call__(self, config: str) -> tuple[str, float]:
        try:
            token = self.read()
        except SettingsError as error:
            # The client drops what is raised here and asks again some seconds later.
            _log.error("%s", error)
            raise
        return token, _expiry(token) or time.time() + _UNKNOWN_LIFETIME_SECONDS

    def read(self) -> str:
        """The token now in the file; raises `SettingsError`."""
        try:
            token = self._path.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"kafka.sasl.token_file: {self._path} cannot be read as a token") from error
        if not token:
            raise SettingsError(f"kafka.sasl.token_file: {self._path} is empty")
        return token


def _expiry(token: str) -> float | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return float(claims["exp"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        return None
