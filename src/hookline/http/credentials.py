"""The header that says who requests come from, and the secrets in it, which may live in files that change."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path

from pydantic import SecretStr

from hookline.errors import SettingsError
from hookline.http.header_rules import check_header_name, is_header_value
from hookline.settings.deliver import DeliverAuth

SECRET_BYTES_MAX = 64 * 1024
REDACTED = b"[redacted]"
REDACTED_FROM_CHARACTERS = 6
"""Shorter secrets are not looked for in answers: they would be found in words that mean something else."""

_USES = {
    "none": (),
    "basic": ("username", "password", "password_file"),
    "bearer": ("token", "token_file"),
    "header": ("header_name", "header_value", "header_value_file"),
}
_Stamp = tuple[int, int, int]


class Credentials:
    """The credentials of `deliver.auth`. `header` is the header's name and value, None without credentials.

    A secret in a file is read again by `refresh` when the file's inode, size or time of change is another, which is
    how both an editor and a Kubernetes secret replace it. No secret is ever in a message or a representation.
    """

    __slots__ = ("_auth", "_file", "_redactions", "_stamp", "header")

    def __init__(self, auth: DeliverAuth) -> None:
        """Raises `SettingsError` when settings are missing, too many or malformed, or when a file can't be read."""
        self._auth = auth
        self._check_combination()
        self._file: Path | None = {
            "basic": auth.password_file,
            "bearer": auth.token_file,
            "header": auth.header_value_file,
        }.get(auth.type)
        self._stamp: _Stamp | None = None
        self._redactions: tuple[bytes, ...] = ()
        self.header: tuple[str, str] | None = None
        self._read()

    def __repr__(self) -> str:
        return f"<Credentials {self._auth.type}>"

    def refresh(self, *, even_if_unchanged: bool = False) -> bool:
        """Read the file again when it changed; True when the header is another one.

        Raises `SettingsError` when the file can't be read or what is in it can't be sent; what was read before stays in
        use. Looks at the file's status only, unless `even_if_unchanged`; without a file it does nothing.
        """
        if self._file is None or (not even_if_unchanged and self._file_stamp() == self._stamp):
            return False
        before = self.header
        self._read()
        return self.header != before

    def redact(self, body: bytes) -> bytes:
        """The first bytes of an answer without our secrets, for services that echo what they were sent."""
        return redacted(body, self._redactions)

    def _check_combination(self) -> None:
        auth = self._auth
        used = _USES[auth.type]
        for name in sorted(type(auth).model_fields):
            if name != "type" and name not in used and getattr(auth, name) is not None:
                raise SettingsError(
                    f"deliver.auth.{name} is set, which deliver.auth.type: {auth.type} does not use; "
                    "change the type or leave it out"
                )
        if auth.type == "basic" and not auth.username:
            raise SettingsError("deliver.auth.username: expected a user for deliver.auth.type: basic")
        if auth.type == "header":
            if not auth.header_name:
                raise SettingsError("deliver.auth.header_name: expected a header's name for deliver.auth.type: header")
            check_header_name(auth.header_name, "deliver.auth.header_name")

    def _file_stamp(self) -> _Stamp | None:
        try:
            status = self._file.stat() if self._file is not None else None
        except OSError:
            return None
        return (status.st_ino, status.st_size, status.st_mtime_ns) if status else None

    def _read(self) -> None:
        auth = self._auth
        # The stamp is taken before reading: a change in between is then seen the next time.
        stamp = self._file_stamp()
        if auth.type == "basic":
            password = self._secret("password", auth.password, auth.password_file)
            if ":" in (auth.username or ""):
                raise SettingsError("deliver.auth.username: a user with a colon can't be sent (RFC 7617, section 2)")
            pair = base64.b64encode(f"{auth.username}:{password}".encode()).decode("ascii")
            header, secrets = ("Authorization", f"Basic {pair}"), (password, pair)
        elif auth.type == "bearer":
            token = self._secret("token", auth.token, auth.token_file)
            if " " in token or not is_header_value(token):
                raise self._malformed("token", "printable ASCII without spaces")
            header, secrets = ("Authorization", f"Bearer {token}"), (token, token)
        elif auth.type == "header":
            value = self._secret("header_value", auth.header_value, auth.header_value_file)
            if not is_header_value(value):
                raise self._malformed("header_value", "printable ASCII with no space at its ends and no line end")
            header, secrets = (auth.header_name or "", value), (value, value)
        else:
            return
        self.header, self._stamp, self._redactions = header, stamp, redactions(secrets)

    def _malformed(self, name: str, expected: str) -> SettingsError:
        where = f"deliver.auth.{name}" if self._file is None else f"deliver.auth.{name}_file: {self._file}"
        return SettingsError(f"{where}: expected {expected}")

    def _secret(self, name: str, value: SecretStr | None, file: Path | None) -> str:
        if value is not None and file is not None:
            raise SettingsError(f"deliver.auth.{name} and deliver.auth.{name}_file are both set; leave one of them out")
        if value is None and file is None:
            raise SettingsError(
                f"deliver.auth.type is {self._auth.type}; expected deliver.auth.{name} or deliver.auth.{name}_file"
            )
        secret = _file_text(f"deliver.auth.{name}_file", file) if file is not None else _plain(value)
        if not secret:
            raise self._malformed(name, "something that is not empty")
        if "\r" in secret or "\n" in secret or "\0" in secret:
            raise self._malformed(name, "a single line")
        return secret


def _plain(value: SecretStr | None) -> str:
    return value.get_secret_value() if value is not None else ""


def _file_text(setting: str, file: Path) -> str:
    try:
        with file.open("rb") as stream:
            data = stream.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise SettingsError(f"{setting}: can't read {file} ({error.strerror})") from error
    if len(data) > SECRET_BYTES_MAX:
        raise SettingsError(f"{setting}: {file} has more than {SECRET_BYTES_MAX} bytes; expected one line")
    try:
        # Editors and `echo` end the line; nothing else is taken off.
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        # Without its cause, which holds the bytes that were read.
        raise SettingsError(f"{setting}: {file} is not UTF-8 text") from None


def redacted(body: bytes, secrets: tuple[bytes, ...]) -> bytes:
    """The bytes without these secrets, which `redactions` made."""
    for secret in secrets:
        if secret in body:
            body = body.replace(secret, REDACTED)
    return body


def redactions(secrets: Iterable[str]) -> tuple[bytes, ...]:
    """What to look for in an answer so that it does not tell these secrets; short ones are left out."""
    forms = {form for secret in secrets if len(secret) >= REDACTED_FROM_CHARACTERS for form in _forms(secret)}
    return tuple(sorted(forms, key=len, reverse=True))


def _forms(secret: str) -> set[bytes]:
    plain = secret.encode()
    # Some JSON writers (PHP's json_encode) put a backslash before each slash, and base64 is full of slashes.
    return {plain, plain.replace(b"/", b"\\/")}
