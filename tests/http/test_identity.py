"""Secrets that change while we run: noticed without being asked, and trouble with them is said once."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from structlog.testing import capture_logs

from hookline.errors import SettingsError
from hookline.http.identity import REFRESH_SECONDS, Identity
from hookline.http.trace_context import Traces
from hookline.settings.deliver import Deliver


def make(**deliver: Any) -> Identity:
    identity = Identity(Deliver.model_validate(deliver), Traces(Random(1)))
    identity.load()
    return identity


def test_a_file_is_looked_at_every_few_seconds(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    identity = make(auth={"type": "bearer", "token_file": str(file)})
    assert identity.refresh(100.0) is False
    file.write_text("second")
    assert identity.refresh(100.0 + REFRESH_SECONDS / 2) is False
    before = identity.template
    assert identity.refresh(100.0 + REFRESH_SECONDS) is True
    assert identity.template is not before


def test_trouble_with_a_file_is_logged_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("canary-1")
    identity = make(auth={"type": "bearer", "token_file": str(file)})
    with capture_logs() as logs:
        file.unlink()
        for second in range(0, 100, 5):
            assert identity.refresh(float(second)) is False
        file.write_text("canary-2\ncanary-3\n")
        for second in range(100, 200, 5):
            assert identity.refresh(float(second)) is False
        file.write_text("canary-4")
        assert identity.refresh(200.0) is True
    assert [entry["event"] for entry in logs] == ["credentials_not_read", "credentials_not_read", "credentials_changed"]
    assert "canary" not in str(logs)


def test_a_reload_that_fails_changes_nothing(tmp_path: Path) -> None:
    token, authority = tmp_path / "token", tmp_path / "ca.pem"
    token.write_text("first")
    identity = make(auth={"type": "bearer", "token_file": str(token)})
    before = identity.template
    token.write_text("")
    with pytest.raises(SettingsError):
        identity.load()
    assert identity.template is before
    with pytest.raises(SettingsError, match=r"deliver\.tls\.ca_file"):
        make(url="https://service/", tls={"ca_file": str(authority)})


@pytest.mark.parametrize(
    ("deliver", "events"),
    [
        ({}, []),
        ({"url": "https://service/"}, []),
        ({"url": "https://service/", "tls": {"verify": False}}, ["tls_not_verified"]),
        ({"url": "http://127.0.0.1/", "auth": {"type": "bearer", "token": "t"}}, []),
        ({"url": "http://service/", "auth": {"type": "bearer", "token": "t"}}, ["credentials_in_clear"]),
        ({"url": "http://127.0.0.1/", "tls": {"verify": False}}, []),
    ],
)
def test_what_is_unsafe_is_said(deliver: dict[str, Any], events: list[str]) -> None:
    identity = make(**deliver)
    with capture_logs() as logs:
        identity.warn()
    assert [entry["event"] for entry in logs] == events


def test_answers_that_echo_a_request_tell_no_secret_of_its_headers_and_of_its_query() -> None:
    identity = make(
        url="http://service/check?sig=canary-query%2Fx&k={key}",
        headers={"X-Api-Key": "canary-header", "X-Team": "charging-team"},
        auth={"type": "bearer", "token": "canary-token"},
    )
    echoed = (
        b"GET /check?sig=canary-query%2Fx (canary-query/x) X-Api-Key: canary-header X-Team: charging-team canary-token"
    )
    told = identity.redact(echoed)
    assert b"canary" not in told
    assert b"charging-team" in told
