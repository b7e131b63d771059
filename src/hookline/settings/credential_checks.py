"""Whether credentials and TLS files are complete, and are used at all."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from hookline.settings.conflicts import Conflict, was_set
from hookline.settings.deliver import DeliverTls
from hookline.settings.kafka import KafkaTls
from hookline.settings.tree import Settings

_AUTH_VALUES = {
    "none": (),
    "basic": ("username", "password"),
    "bearer": ("token",),
    "header": ("header_name", "header_value"),
}

_TOKEN_CHARACTERS_MIN = 16


def sasl_conflicts(settings: Settings) -> Iterator[Conflict]:
    """Of `kafka.security` and `kafka.sasl`."""
    kafka, sasl = settings.kafka, settings.kafka.sasl
    security = ("kafka.security", "kafka.sasl.mechanism")
    if not kafka.security.startswith("sasl_"):
        for name in ("username", "password", "password_file", "token_file"):
            if getattr(sasl, name) is not None and was_set(settings, f"kafka.sasl.{name}"):
                message = f"kafka.sasl.{name} is given, but with '{kafka.security}' nobody is asked who they are"
                yield Conflict(("kafka.security", f"kafka.sasl.{name}"), f"{message}; set sasl_tls, or remove it")
                return
    elif sasl.mechanism == "OAUTHBEARER":
        if sasl.token_file is None:
            yield Conflict(security, "OAUTHBEARER needs kafka.sasl.token_file")
    else:
        missing = ["kafka.sasl.username"] if sasl.username is None else []
        if sasl.password is None:
            missing.append("kafka.sasl.password or kafka.sasl.password_file")
        if missing and not (sasl.password is None and sasl.password_file is not None and len(missing) == 1):
            yield Conflict(security, f"{kafka.security} with {sasl.mechanism} needs {' and '.join(missing)}")


def auth_conflicts(settings: Settings) -> Iterator[Conflict]:
    """Of `deliver.auth`."""
    auth = settings.deliver.auth
    needed = _AUTH_VALUES[auth.type]
    for name in needed:
        value, file = getattr(auth, name), getattr(auth, f"{name}_file", None)
        key = f"deliver.auth.{name}"
        if value is None and file is None:
            wanted = f"{key} or {key}_file" if hasattr(auth, f"{name}_file") else key
            yield Conflict(("deliver.auth.type", key), f"'{auth.type}' needs {wanted}")
        elif value is not None and file is not None:
            yield Conflict((f"{key}_file", key), f"{key} and {key}_file are both given; keep one")
    for name in type(auth).model_fields:
        key = f"deliver.auth.{name}"
        if name != "type" and name.removesuffix("_file") not in needed and getattr(auth, name) is not None:
            users = [kind for kind, names in _AUTH_VALUES.items() if name.removesuffix("_file") in names]
            message = f"only '{users[0]}' uses this, and deliver.auth.type is '{auth.type}'"
            yield Conflict((key, "deliver.auth.type"), f"{message}; set deliver.auth.type: {users[0]}, or remove it")


def tls_conflicts(settings: Settings) -> Iterator[Conflict]:
    """Of `kafka.tls` and `deliver.tls`."""
    kafka, deliver = settings.kafka, settings.deliver
    yield from _key_conflicts("kafka.tls", kafka.tls)
    yield from _key_conflicts("deliver.tls", deliver.tls)
    if kafka.security in ("plaintext", "sasl_plaintext"):
        wanted = "tls" if kafka.security == "plaintext" else "sasl_tls"
        hint = f"set kafka.security: {wanted}, or remove it"
        yield from _unused("kafka.tls", kafka.tls, "kafka.security", f"with kafka.security '{kafka.security}'", hint)
    if urlsplit(deliver.url).scheme == "http":
        hint = "let deliver.url begin with https, or remove it"
        yield from _unused("deliver.tls", deliver.tls, "deliver.url", "with a deliver.url that begins with http:", hint)


def _key_conflicts(section: str, tls: KafkaTls | DeliverTls) -> Iterator[Conflict]:
    if tls.key_file is not None and tls.certificate_file is None:
        keys = (f"{section}.key_file", f"{section}.certificate_file")
        yield Conflict(keys, f"a key needs its certificate; set {keys[1]}")
    for name in ("key_password", "key_password_file"):
        if getattr(tls, name) is not None and tls.key_file is None and tls.certificate_file is None:
            yield Conflict(
                (f"{section}.{name}",), f"there is no key that it is the password of; set {section}.key_file"
            )
            return


def _unused(section: str, tls: KafkaTls | DeliverTls, other: str, when: str, hint: str) -> Iterator[Conflict]:
    for name in ("ca_file", "certificate_file"):
        if getattr(tls, name) is not None:
            yield Conflict((f"{section}.{name}", other), f"nothing is encrypted {when}; {hint}")
            return


def console_token_conflicts(settings: Settings) -> Iterator[Conflict]:
    """Of the tokens of `console`: each is too long to guess, and stands for one role."""
    keys: dict[str, str] = {}
    for name in ("token", "operate_token", "view_token"):
        secret = getattr(settings.console, name)
        if secret is None:
            continue
        key, text = f"console.{name}", secret.get_secret_value()
        if len(text) < _TOKEN_CHARACTERS_MIN:
            yield Conflict((key,), f"expected at least {_TOKEN_CHARACTERS_MIN} characters, which nobody guesses")
        elif text in keys:
            yield Conflict((key, keys[text]), "one token for two roles would give whoever has it the higher one")
        keys[text] = key
