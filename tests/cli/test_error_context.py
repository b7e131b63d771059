"""Errors of a running service are shown with the place of the setting, and without our secrets."""

from __future__ import annotations

import pytest

from hookline.cli import execution
from hookline.cli.error_context import errors_located
from hookline.cli.root import root
from hookline.errors import KafkaRefused, SettingsError
from hookline.settings.loading import LoadedSettings, load_settings

CANARY = "canary7Q9zX"


@pytest.fixture
def loaded() -> LoadedSettings:
    return load_settings(
        environment={
            "HOOKLINE_KAFKA__SECURITY": "sasl_tls",
            "HOOKLINE_KAFKA__SASL__USERNAME": "u",
            "HOOKLINE_KAFKA__SASL__PASSWORD": CANARY,
        }
    )


def test_a_secret_that_a_client_repeats_is_taken_out_and_the_error_stays_what_it_is(loaded: LoadedSettings):
    with pytest.raises(KafkaRefused) as caught, errors_located(loaded):
        raise KafkaRefused(f"the broker refused {CANARY}; check kafka.sasl")
    assert str(caught.value) == "the broker refused ***; check kafka.sasl"
    assert caught.value.exit_code == 4


def test_a_setting_is_told_with_its_place_and_without_the_secret(loaded: LoadedSettings):
    with pytest.raises(SettingsError) as caught, errors_located(loaded):
        raise SettingsError(f"kafka.sasl.username: {CANARY} is no user")
    assert str(caught.value) == "HOOKLINE_KAFKA__SASL__USERNAME: kafka.sasl.username: *** is no user"


def test_a_default_has_no_place_to_be_told(loaded: LoadedSettings):
    with pytest.raises(SettingsError) as caught, errors_located(loaded):
        raise SettingsError("kafka.tls.ca_file: there is no file")
    assert str(caught.value) == "kafka.tls.ca_file: there is no file"


def test_the_debugging_traceback_has_no_secret_either_not_even_in_a_cause(
    loaded: LoadedSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(**_: object) -> None:
        with errors_located(loaded):
            try:
                raise ValueError(f"refused {CANARY}")
            except ValueError as error:
                raise SettingsError(f"kafka.sasl.username: {CANARY} is no user") from error

    monkeypatch.setattr(root, "main", fail)
    assert execution.execute(["--debug", "run"]) == 3
    told = capsys.readouterr().err
    assert "ValueError: refused ***" in told
    assert CANARY not in told
