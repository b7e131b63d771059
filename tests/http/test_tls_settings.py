"""What can be wrong with the files that TLS is made of."""

from __future__ import annotations

import ssl
import subprocess
import traceback
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives import serialization

from hookline.errors import SettingsError
from hookline.http.tls import client_context
from hookline.settings.deliver import DeliverTls


def context(**tls: Any) -> ssl.SSLContext:
    return client_context(DeliverTls.model_validate(tls))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("client@example.com")
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "client.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "client.key"))
    key = serialization.load_pem_private_key(certificate.private_key_pem.bytes(), None)
    (tmp_path / "locked.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"canary-password"),
        )
    )
    authority.issue_cert("other@example.com").private_key_pem.write_to_path(str(tmp_path / "other.key"))
    (tmp_path / "empty.pem").write_bytes(b"")
    return tmp_path


def test_by_default_names_and_certificates_are_checked() -> None:
    default = context()
    assert default.check_hostname
    assert default.verify_mode is ssl.CERT_REQUIRED
    assert default.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context(minimum_version="1.3").minimum_version is ssl.TLSVersion.TLSv1_3


def test_switching_verification_off_switches_both_off() -> None:
    unsafe = context(verify=False)
    assert not unsafe.check_hostname
    assert unsafe.verify_mode is ssl.CERT_NONE


def test_an_own_authority_is_the_only_one_trusted(files: Path) -> None:
    assert len(context(ca_file=str(files / "ca.pem")).get_ca_certs()) == 1


def test_certificate_and_key_are_taken(files: Path) -> None:
    context(certificate_file=str(files / "client.pem"), key_file=str(files / "client.key"))
    context(
        certificate_file=str(files / "client.pem"), key_file=str(files / "locked.key"), key_password="canary-password"
    )


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        ({"ca_file": "missing.pem"}, "deliver.tls.ca_file: can't read"),
        ({"ca_file": "empty.pem"}, "deliver.tls.ca_file"),
        ({"ca_file": "client.key"}, "deliver.tls.ca_file"),
        ({"key_file": "client.key"}, "deliver.tls.certificate_file is not"),
        ({"certificate_file": "missing.pem"}, "can't read"),
        ({"certificate_file": "client.pem"}, "key that belongs to"),
        ({"certificate_file": "client.pem", "key_file": "other.key"}, "key that belongs to"),
        ({"certificate_file": "client.pem", "key_file": "locked.key"}, "deliver.tls.key_password"),
        ({"certificate_file": "client.pem", "key_file": "locked.key", "key_password": "canary-wrong"}, "key_password"),
        ({"certificate_file": "client.pem", "key_file": "locked.key", "key_password": "canary" * 500}, "key_password"),
    ],
)
def test_what_is_wrong_is_named_and_no_password_told(files: Path, tls: dict[str, str], problem: str) -> None:
    paths = {name: value if name == "key_password" else str(files / value) for name, value in tls.items()}
    with pytest.raises(SettingsError) as caught:
        context(**paths)
    assert problem in str(caught.value)
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_locked_key_without_a_password_does_not_ask_at_the_terminal(files: Path) -> None:
    code = (
        "from hookline.http.tls import client_context; from hookline.settings.deliver import DeliverTls\n"
        f"client_context(DeliverTls(certificate_file={str(files / 'client.pem')!r}, "
        f"key_file={str(files / 'locked.key')!r}))"
    )
    import sys

    result = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, text=True, check=False
    )
    assert "SettingsError" in result.stderr
    assert "Enter PEM pass phrase" not in result.stderr + result.stdout
