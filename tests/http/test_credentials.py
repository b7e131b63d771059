"""Credentials come from settings or files, are read again when the file changes, and are never told."""

from __future__ import annotations

import base64
import os
import traceback
from pathlib import Path
from typing import Any

import pytest

from hookline.errors import SettingsError
from hookline.http.credentials import Credentials
from hookline.settings.deliver import DeliverAuth
from hookline.telemetry.masking import mask_text


def make(**auth: Any) -> Credentials:
    return Credentials(DeliverAuth.model_validate(auth))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_each_kind_makes_its_header(tmp_path: Path) -> None:
    assert make().header is None
    assert make(type="bearer", token="t-1").header == ("Authorization", "Bearer t-1")
    assert make(type="basic", username="u", password="p:ä ").header == ("Authorization", basic("u", "p:ä "))
    assert make(type="header", header_name="X-Api-Key", header_value="k 1").header == ("X-Api-Key", "k 1")


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_secrets_come_from_files_without_the_line_s_end(tmp_path: Path, end: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b"s-1" + end.encode())
    assert make(type="bearer", token_file=str(file)).header == ("Authorization", "Bearer s-1")
    assert make(type="basic", username="u", password_file=str(file)).header == ("Authorization", basic("u", "s-1"))
    assert make(type="header", header_name="X", header_value_file=str(file)).header == ("X", "s-1")


@pytest.mark.parametrize(
    ("auth", "problem"),
    [
        ({"type": "bearer"}, "deliver.auth.token or deliver.auth.token_file"),
        ({"type": "basic", "username": "u"}, "deliver.auth.password or deliver.auth.password_file"),
        ({"type": "basic", "password": "p"}, "deliver.auth.username"),
        ({"type": "basic", "username": "a:b", "password": "p"}, "colon"),
        ({"type": "header", "header_value": "v"}, "deliver.auth.header_name"),
        ({"type": "header", "header_name": "X"}, "deliver.auth.header_value or"),
        ({"type": "header", "header_name": "Host", "header_value": "v"}, "deliver.auth.header_name: the header Host"),
        ({"type": "header", "header_name": "Content-Type", "header_value": "v"}, "content_type"),
        ({"type": "none", "token": "t"}, "deliver.auth.token is set"),
        ({"type": "bearer", "token": "t", "username": "u"}, "deliver.auth.username is set"),
        ({"type": "bearer", "token": "t", "token_file": "/x"}, "both set"),
        ({"type": "bearer", "token": ""}, "not empty"),
        ({"type": "bearer", "token": "a b"}, "without spaces"),
        ({"type": "bearer", "token": "tök"}, "printable ASCII"),
        ({"type": "bearer", "token": "t\r\nX: y"}, "single line"),
        ({"type": "basic", "username": "u", "password": "p\nq"}, "single line"),
        ({"type": "header", "header_name": "X", "header_value": "a\0b"}, "single line"),
        ({"type": "header", "header_name": "X", "header_value": " a"}, "no space"),
        ({"type": "bearer", "token_file": "/no/such/file"}, "can't read /no/such/file"),
    ],
)
def test_what_is_missing_too_much_or_malformed_is_named(auth: dict[str, str], problem: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make(**auth)
    assert problem in str(caught.value)
    assert "deliver.auth" in str(caught.value)


def test_files_that_hold_no_secret_are_refused(tmp_path: Path) -> None:
    for content, problem in (
        (b"", "not empty"),
        (b"a\nb\n", "single line"),
        (b"\xff", "UTF-8"),
        (b"x" * 70_000, "bytes"),
    ):
        file = tmp_path / "secret"
        file.write_bytes(content)
        with pytest.raises(SettingsError, match=problem):
            make(type="bearer", token_file=str(file))
    with pytest.raises(SettingsError, match="can't read"):
        make(type="bearer", token_file=str(tmp_path))


def test_a_file_is_read_again_only_when_it_changed(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    credentials = make(type="bearer", token_file=str(file))
    assert credentials.refresh() is False
    file.write_text("second!")
    assert credentials.refresh() is True
    assert credentials.header == ("Authorization", "Bearer second!")
    assert credentials.refresh() is False
    assert make(type="bearer", token="t").refresh() is False


def test_a_file_replaced_by_a_link_as_kubernetes_does_is_noticed(tmp_path: Path) -> None:
    for name, token in (("v1", "same-1"), ("v2", "same-2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(token)
        os.utime(tmp_path / name / "token", (1, 1))
    data = tmp_path / "data"
    data.symlink_to("v1")
    (tmp_path / "token").symlink_to("data/token")
    credentials = make(type="bearer", token_file=str(tmp_path / "token"))
    (tmp_path / "next").symlink_to("v2")
    (tmp_path / "next").rename(data)
    assert credentials.refresh() is True
    assert credentials.header == ("Authorization", "Bearer same-2")


def test_a_change_that_the_file_s_status_hides_is_found_when_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    status = file.stat()
    credentials = make(type="bearer", token_file=str(file))
    file.write_text("other")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert credentials.refresh() is False
    assert credentials.refresh(even_if_unchanged=True) is True


def test_why_a_file_cannot_be_read_is_not_taken_for_its_secret_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        make(type="bearer", token_file=str(tmp_path / "service-token"))
    told = mask_text(str(caught.value))
    assert told.endswith("/service-token (No such file or directory)")


def test_while_a_file_is_away_or_broken_the_old_secret_stays(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    credentials = make(type="bearer", token_file=str(file))
    file.unlink()
    with pytest.raises(SettingsError, match="can't read"):
        credentials.refresh()
    file.write_text("")
    with pytest.raises(SettingsError, match="not empty"):
        credentials.refresh()
    assert credentials.header == ("Authorization", "Bearer first")
    file.write_text("second")
    assert credentials.refresh() is True


def test_secrets_are_taken_out_of_what_services_echo() -> None:
    credentials = make(type="basic", username="user", password="pass/word")
    pair = basic("user", "pass/word").removeprefix("Basic ")
    assert credentials.redact(f"Authorization: Basic {pair}".encode()) == b"Authorization: Basic [redacted]"
    assert credentials.redact(b'{"p":"pass/word","q":"pass\\/word"}') == b'{"p":"[redacted]","q":"[redacted]"}'
    assert credentials.redact(b"user") == b"user"
    assert make(type="bearer", token="ok").redact(b'{"status":"ok"}') == b'{"status":"ok"}'
    assert make().redact(b"anything") == b"anything"


CANARY = "canary-5f0c"


@pytest.mark.parametrize(
    "auth",
    [
        {"type": "bearer", "token": CANARY},
        {"type": "basic", "username": "u", "password": CANARY},
        {"type": "header", "header_name": "X", "header_value": CANARY},
        {"type": "bearer", "token": CANARY + "\r\n"},
        {"type": "bearer", "token": f"{CANARY} {CANARY}"},
        {"type": "bearer", "token": f"{CANARY}ä"},
        {"type": "none", "token": CANARY},
        {"type": "basic", "username": "a:b", "password": CANARY},
    ],
)
def test_secrets_are_in_no_representation_and_no_error(auth: dict[str, str]) -> None:
    try:
        credentials = make(**auth)
    except SettingsError as error:
        told = "".join(traceback.format_exception(error))
    else:
        told = f"{credentials!r} {credentials} {credentials._auth!r}"
    assert CANARY not in told


def test_secrets_in_files_are_in_no_error(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content in (CANARY.encode() + b"\xff", f"{CANARY}\n{CANARY}".encode(), CANARY.encode() * 10_000):
        file.write_bytes(content)
        with pytest.raises(SettingsError) as caught:
            make(type="bearer", token_file=str(file))
        assert CANARY not in "".join(traceback.format_exception(caught.value))
