"""The log says one thing a line, to people and to machines, and never a secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from hookline.settings.operation import Log
from hookline.telemetry.events import Event
from hookline.telemetry.logs import EventHandler, configure_logging, get_logger
from hookline.telemetry.masking import mask_key
from hookline.telemetry.own_secrets import OwnSecrets

CANARY = "canary7Q9zX"

Configure = Callable[..., io.StringIO]


@pytest.fixture
def configure() -> Iterator[Configure]:
    """Sets logging up with some settings and gives the stream; afterwards all is as it was."""
    names = (None, "aiokafka", "aiohttp", "asyncio")
    levels = {name: logging.getLogger(name).level for name in names}

    def do(own_secrets: OwnSecrets | None = None, **log: object) -> io.StringIO:
        stream = io.StringIO()
        configure_logging(Log.model_validate({"format": "json", **log}), own_secrets, stream)
        return stream

    yield do
    root = logging.getLogger()
    for handler in [handler for handler in root.handlers if isinstance(handler, EventHandler)]:
        root.removeHandler(handler)
        handler.close()
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


log = get_logger("hookline.test")


def test_an_event_is_a_name_and_fields_on_one_line(configure):
    stream = configure()
    log.info(Event.SERVICE_STARTED, url="http://127.0.0.1:5000/check", attempts=3, share=0.5, known=True, why=None)
    (line,) = lines_of(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "event": "service_started",
        "logger": "hookline.test",
        "url": "http://127.0.0.1:5000/check",
        "attempts": 3,
        "share": 0.5,
        "known": True,
        "why": None,
    }


def test_what_is_bound_to_a_logger_is_on_each_of_its_lines(configure):
    stream = configure()
    bound = log.bind(topic="sessions", partition=3)
    bound.warning(Event.DELIVERY_FAILED, offset=7)
    bound.error(Event.COMMIT_FAILED)
    assert [(line["topic"], line["partition"]) for line in lines_of(stream)] == [("sessions", 3)] * 2


def test_events_below_the_level_are_not_logged(configure):
    stream = configure(level="warning")
    log.info(Event.SUMMARY)
    log.info(Event.STOPPED)
    log.warning(Event.COMMIT_DEFERRED)
    assert [line["event"] for line in lines_of(stream)] == ["commit_deferred"]


@pytest.mark.parametrize("name", ["key", "driver_token", "Authorization", "password", "apiKey", "Set-Cookie", "secret"])
def test_fields_with_the_name_of_a_secret_are_masked_at_any_depth(configure, name):
    stream = configure()
    log.info("x", **{name: CANARY}, data={"a": [{name: {"b": CANARY}}]})
    assert CANARY not in stream.getvalue()
    assert lines_of(stream)[0][name] == "***"


def test_a_record_s_key_is_shown_as_its_digest(configure):
    stream = configure()
    log.info("x", key=b"driver-1")
    log.info("y", key=mask_key(b"driver-1"))
    first, second = lines_of(stream)
    assert first["key"] == second["key"] == str(mask_key(b"driver-1"))
    assert "driver-1" not in stream.getvalue()


def test_with_masking_off_personal_data_shows_and_credentials_do_not(configure):
    stream = configure(OwnSecrets("our-own-token"), mask=False)
    log.info("x", key=b"driver-1", driver_token="T-1", password=CANARY, text="sent our-own-token")
    line = lines_of(stream)[0]
    assert (line["key"], line["driver_token"], line["password"]) == ("driver-1", "T-1", "***")
    assert line["text"] == "sent ***"


def test_our_own_secrets_are_masked_in_any_text(configure):
    stream = configure(OwnSecrets(CANARY))
    log.warning(f"event with {CANARY}", detail=f"x{CANARY}y", **{f"name {CANARY}": 1}, data=[CANARY.encode()])
    logging.getLogger("hookline.kafka").error("broker said %s", CANARY)
    assert CANARY not in stream.getvalue()


def test_lines_of_libraries_and_of_the_documented_class_go_the_same_way(configure):
    stream = configure()
    logging.getLogger("AsyncKafkaConsumerService").info(f"Received message: {{'driver_token': '{CANARY}', 's': 'S1'}}")
    logging.getLogger("hookline.kafka").warning("broker %s is gone\n%s", "b:1", "really\x1b[2J")
    logging.getLogger("aiokafka.conn").error("Unable to connect")
    first, second, third = lines_of(stream)
    assert first["event"] == "Received message: {'driver_token': '***', 's': 'S1'}"
    assert second["event"] == r"broker b:1 is gone\nreally\x1b[2J"
    assert (third["logger"], third["level"]) == ("aiokafka.conn", "error")


def test_what_is_logged_through_structlog_itself_goes_the_same_way(configure, capsys):
    stream = configure()
    structlog.get_logger("hookline.http").warning("credentials_in_clear", token=CANARY)
    (line,) = lines_of(stream)
    assert (line["event"], line["logger"], line["token"]) == ("credentials_in_clear", "hookline.http", "***")
    assert capsys.readouterr().out == ""


def test_a_program_that_configured_structlog_keeps_its_configuration(configure):
    renderer = structlog.processors.JSONRenderer()
    structlog.configure(processors=[renderer])
    configure()
    assert structlog.get_config()["processors"] == [renderer]


def test_the_kafka_client_s_details_are_never_logged_since_they_hold_whole_records(configure):
    stream = configure(level="debug")
    logging.getLogger("aiokafka.conn").debug("Response %s", CANARY)
    logging.getLogger("aiokafka.consumer").info("Joined group")
    assert [line["event"] for line in lines_of(stream)] == ["Joined group"]


def test_libraries_are_heard_from_warnings_on(configure):
    stream = configure()
    logging.getLogger("aiokafka.consumer").info("Joined group")
    logging.getLogger("asyncio").warning("Executing took 1 s")
    assert [line["event"] for line in lines_of(stream)] == ["Executing took 1 s"]


def test_what_the_event_loop_reports_is_in_the_log(configure):
    stream = configure()

    async def fail() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": "callback failed", "exception": ValueError("v")})

    asyncio.run(fail())
    (line,) = lines_of(stream)
    assert line["event"] == "callback failed"
    assert line["exception"][0]["exc_type"] == "ValueError"


def test_a_library_s_wrong_arguments_do_no_harm(configure):
    stream = configure()
    record = logging.LogRecord("x", logging.WARNING, "x.py", 1, "%d records of %s", ("many",), None)
    logging.getLogger().handlers[-1].handle(record)
    assert lines_of(stream)[0]["event"] == "%d records of %s"


def test_warnings_are_lines_too(configure):
    stream = configure()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn("old\nway", DeprecationWarning, stacklevel=1)
    (line,) = lines_of(stream)
    assert r"old\nway" in line["event"]


def test_an_exception_is_one_line_with_its_traceback_and_without_local_values(configure):
    stream = configure()

    def inner(local: str) -> None:
        raise KeyError(f"token={local}")

    def outer(local: str) -> None:
        another = CANARY
        try:
            inner(local)
        except KeyError as error:
            raise ValueError(f"password: {another}") from error

    try:
        outer(CANARY)
    except ValueError:
        log.exception("failed", attempt=1)
    assert CANARY not in stream.getvalue()
    (line,) = lines_of(stream)
    value_error, key_error = line["exception"]
    assert (value_error["exc_type"], value_error["exc_value"]) == ("ValueError", "password: ***")
    assert (key_error["exc_type"], key_error["is_cause"]) == ("KeyError", True)
    assert [frame["name"] for frame in key_error["frames"]] == ["outer", "inner"]
    assert all(set(frame) == {"filename", "lineno", "name"} for frame in key_error["frames"])


def test_a_group_of_exceptions_shows_each(configure):
    stream = configure(format="console")
    try:
        raise ExceptionGroup("both", [ValueError("first"), KeyError("second")])
    except ExceptionGroup:
        log.exception("failed")
    assert "  ValueError: first" in stream.getvalue()
    assert "  KeyError: 'second'" in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_hostile_text_cannot_act_on_a_terminal_or_begin_a_line(configure, log_format):
    stream = configure(format=log_format)
    hostile = 'x\n2026 [error] forged\r\x1b[2J\x07\u202e\x9b\u2028\ud800\0 "'
    log.info(
        hostile,
        **{f"name{hostile}": 1},
        value=hostile,
        data={hostile: [hostile]},
        raw=hostile.encode("utf-8", "surrogatepass"),
    )
    try:
        raise ValueError(hostile)
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    assert text.endswith("\n")
    assert all(line.isprintable() for line in text.split("\n"))
    if log_format == "json":
        assert len(lines_of(stream)) == 2
        assert json.loads(text.split("\n")[0])["value"].isprintable()


def test_a_value_cannot_pass_for_another_field_on_the_console(configure):
    stream = configure(format="console")
    log.info("x", topic="a offset=7")
    assert "topic='a offset=7'" in stream.getvalue()


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text for you")


def test_values_of_any_kind_are_logged_without_raising(configure):
    stream = configure()
    loop: list[Any] = []
    loop.append(loop)
    values = {
        "object": Hostile(),
        "loop": loop,
        "nan": float("nan"),
        "huge": 10**5000,
        "bytes": b"\xff\x00",
        "set": {1},
        "number_names": {1: "one"},
        "stack": "s",
        "exc_info_text": "e",
        "exception": "mine",
        "level": "mine",
        "long": "x" * 100_000,
        "many": list(range(1001)),
    }
    log.info("x", **values)
    (line,) = lines_of(stream)
    assert line["object"] == "<Hostile>"
    assert line["level"] == "info"
    assert (line["level_"], line["exception_"]) == ("mine", "mine")
    assert line["bytes"] == r"\xff\x00"
    assert line["long"].endswith("… (83616 characters more)")
    assert len(line["many"]) == 1000


def test_the_same_values_are_logged_without_raising_on_the_console(configure):
    stream = configure(format="console")
    log.info("x", stack={"a": 1}, object=Hostile(), nan=float("nan"))
    assert "stack_={'a': 1}" in stream.getvalue()


def test_configuring_twice_does_not_log_twice(configure):
    first = configure()
    second = configure()
    log.warning("x")
    assert (first.getvalue(), len(lines_of(second))) == ("", 1)


def test_lines_that_were_lost_are_told_when_the_log_can_be_written_again(configure):
    configure()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(writing, "w") as stream:
        configure_logging(Log(format="json"), None, stream)
        for _ in range(5000):
            log.info("x", text="y" * 300)
        received = b""
        for _ in range(100):
            try:
                received += os.read(reading, 1 << 20)
            except BlockingIOError:
                break
            logging.getLogger().handlers[-1].flush()
        log.info("after")
        received += os.read(reading, 1 << 20)
        events = [json.loads(line)["event"] for line in received.splitlines()]
        assert events[-2:] == ["log_lines_dropped", "after"]
        configure()
    os.close(reading)


def test_in_a_program_of_somebody_else_its_own_handlers_get_one_masked_line(caplog):
    caplog.set_level("INFO")
    log.info("delivery_failed", key=b"driver-1", detail=f"token={CANARY}", text="two words\n", n=3)
    (record,) = caplog.records
    assert record.name == "hookline.test"
    expected = f'delivery_failed key="{mask_key(b"driver-1")}" detail="token=***" text="two words\\n" n=3'
    assert record.getMessage() == expected
