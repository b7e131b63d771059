"""A request says what its record is, never lets it decide where it goes, and is the same bytes for every sender."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.http.sender_harness import make_delivery

from hookline.engine.verdicts import Reason
from hookline.errors import SettingsError, UnsendableRecord
from hookline.http.requests import RequestTemplate, request_parts
from hookline.http.trace_context import Traces
from hookline.settings.deliver import Deliver


def make_template(credentials: tuple[str, str] | None = None, seed: int = 1, **deliver: Any) -> RequestTemplate:
    return RequestTemplate(Deliver.model_validate(deliver), credentials, Traces(Random(seed)))


def unchecked(**deliver: Any) -> RequestTemplate:
    """A template of settings that were not validated, as if the first line of defence had failed."""
    return RequestTemplate(Deliver.model_construct(**{**Deliver().__dict__, **deliver}), None, Traces(Random(1)))


def headers(request: bytes) -> dict[str, str]:
    return dict(request_parts(request).headers)


def test_a_request_is_what_it_looks_like() -> None:
    template = make_template(("Authorization", "Bearer t"), url="http://service:81/check?a=b", headers={"X-Team": "ev"})
    request = template.request(make_delivery(attempt=2))
    assert re.sub(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", b"TRACE", request) == (
        b"POST /check?a=b HTTP/1.1\r\n"
        b"Host: service:81\r\n"
        b"User-Agent: hookline/0.1.0\r\n"
        b"Accept-Encoding: identity\r\n"
        b"Content-Type: application/json\r\n"
        b"Authorization: Bearer t\r\n"
        b"X-Team: ev\r\n"
        b"Idempotency-Key: charging_sessions-3-42\r\n"
        b"Hookline-Attempt: 2\r\n"
        b"traceparent: TRACE\r\n"
        b"Content-Length: 15\r\n"
        b"\r\n"
        b'{"token":"t-1"}'
    )


def test_a_request_comes_apart_into_the_same_pieces() -> None:
    parts = request_parts(make_template(url="http://service/a?b=c").request(make_delivery(b'"\xc3\xa9\\r\\n: "')))
    assert parts.target == "/a?b=c"
    assert parts.body == b'"\xc3\xa9\\r\\n: "'
    assert ("Host", "service") in parts.headers
    assert len(parts.headers) == 8


@pytest.mark.parametrize("value", [None, b""])
def test_no_value_is_an_empty_body_and_is_not_checked(value: bytes | None) -> None:
    request = make_template().request(make_delivery(value))
    assert headers(request)["Content-Length"] == "0"
    assert request.endswith(b"\r\n\r\n")


def test_bytes_are_sent_whatever_they_are() -> None:
    template = make_template(body="bytes")
    request = template.request(make_delivery(b"\xff{"))
    assert request.endswith(b"\r\n\r\n\xff{")
    assert headers(request)["Content-Type"] == "application/octet-stream"


def test_a_value_over_the_limit_is_too_large_before_it_is_looked_at() -> None:
    template = make_template(max_bytes=10)
    template.request(make_delivery(b'"' + b"x" * 8 + b'"'))
    with pytest.raises(UnsendableRecord, match=r"too_large: 11 bytes, more than deliver\.max_bytes 10"):
        template.request(make_delivery(b"[" * 11))


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"{", Reason.NOT_JSON), (b"[" * 65 + b"]" * 65, Reason.TOO_DEEP), (b'"\xff"', Reason.NOT_JSON)],
)
def test_json_is_checked(value: bytes, reason: Reason) -> None:
    with pytest.raises(UnsendableRecord) as caught:
        make_template().request(make_delivery(value))
    assert caught.value.reason == reason


def trace(request: bytes) -> tuple[str, str, str]:
    version, trace_id, parent, flags = headers(request)["traceparent"].split("-")
    assert version == "00"
    assert re.fullmatch("[0-9a-f]{32}", trace_id)
    assert re.fullmatch("[0-9a-f]{16}", parent)
    assert int(trace_id[:16], 16)
    assert int(parent, 16)
    return trace_id, parent, flags


def test_a_record_keeps_its_trace_and_each_attempt_has_a_parent_of_its_own() -> None:
    template = make_template()
    attempts = [trace(template.request(make_delivery(attempt=attempt))) for attempt in (1, 2, 3)]
    assert len({trace_id for trace_id, _, _ in attempts}) == 1
    assert len({parent for _, parent, _ in attempts}) == 3
    assert {flags for _, _, flags in attempts} == {"01"}


def test_every_record_has_a_trace_of_its_own_and_every_process_others() -> None:
    traces = {
        trace(template.request(make_delivery(topic=topic, partition=partition, offset=offset)))[0]
        for template in (make_template(seed=1), make_template(seed=2))
        for topic in ("a", "b")
        for partition in (0, 1)
        for offset in (*range(200), 2**31, 2**62, 2**63 - 1)
    }
    assert len(traces) == 2 * 2 * 2 * 203


def test_traces_look_random_where_samplers_look() -> None:
    template = make_template()
    # Consistent probability sampling compares the last 7 bytes with a threshold.
    kept = sum(int(trace(template.request(make_delivery(offset=n)))[0][-14:], 16) < 2**56 // 4 for n in range(4000))
    assert 800 < kept < 1200


def test_a_trace_outlasts_new_credentials() -> None:
    traces = Traces(Random(1))
    first = RequestTemplate(Deliver(), ("Authorization", "a"), traces)
    second = RequestTemplate(Deliver(), ("Authorization", "b"), traces)
    assert trace(first.request(make_delivery()))[0] == trace(second.request(make_delivery()))[0]


def test_what_is_sent_of_a_trace_is_known_again_afterwards() -> None:
    traces = Traces(Random(1), 0.25)
    template = RequestTemplate(Deliver(), None, traces)
    sampled = 0
    for offset in range(2000):
        delivery = make_delivery(offset=offset, attempt=offset % 5 + 1)
        trace_id, parent, flags = trace(template.request(delivery))
        known = traces.trace(delivery.record)
        assert (known.text, known.parent, f"{known.is_sampled:02d}") == (trace_id, 0, flags)
        assert f"{traces.span_id(delivery.record, delivery.attempt):016x}" == parent
        assert f"{traces.span_id(delivery.record, 0):016x}" != parent
        sampled += known.is_sampled
    assert 400 < sampled < 600


@pytest.mark.parametrize("flags", [b"00", b"01", b"03"])
def test_a_trace_that_goes_on_keeps_what_its_producer_decided(flags: bytes) -> None:
    traces = Traces(Random(1), 0.0)
    delivery = make_delivery(headers=(("traceparent", VALID[:-2] + flags),))
    known = traces.trace(delivery.record)
    assert trace(RequestTemplate(Deliver(), None, traces).request(delivery))[0] == known.text
    assert f"{known.parent:016x}" == "b7ad6b7169203331"
    assert known.is_sampled == bool(int(flags) & 1)


VALID = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


@pytest.mark.parametrize("value", [VALID, b"cc" + VALID[2:], b"cc" + VALID[2:] + b"-more"])
def test_a_record_goes_on_in_the_trace_it_came_with(value: bytes) -> None:
    delivery = make_delivery(headers=(("x", None), ("traceparent", value)))
    trace_id, parent, flags = trace(make_template().request(delivery))
    assert (trace_id, flags) == ("0af7651916cd43dd8448eb211c80319c", "00")
    assert parent != "b7ad6b7169203331"


@pytest.mark.parametrize(
    "value",
    [
        None, b"", b"00", VALID[:-1], VALID + b"0", VALID + b"-more", VALID.upper(), b"ff" + VALID[2:],
        VALID + b"\r\nX: y",
        VALID + b"\n", b"00-" + b"0" * 32 + VALID[35:], VALID[:36] + b"0" * 16 + b"-00", VALID.replace(b"-", b"_"),
        b"01" + VALID[2:] + b"\r\nX-Evil: y",
    ],
)  # fmt: skip
def test_an_invalid_trace_is_not_gone_on_with_and_nothing_of_it_is_sent(value: bytes | None) -> None:
    template = make_template()
    without = trace(template.request(make_delivery()))[0]
    request = template.request(make_delivery(headers=(("traceparent", value),)))
    assert trace(request)[0] == without
    assert b"Evil" not in request
    assert request.count(b"\r\n") == 10


def target(key: bytes | None, url: str = "http://service/items/{key}?at={offset}", **deliver: Any) -> str:
    return request_parts(make_template(url=url, **deliver).request(make_delivery(key=key))).target


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"abc-1.2_3~", "abc-1.2_3~"),
        (b"a/b", "a%2Fb"),
        (b"../admin", "..%2Fadmin"),
        (b"//evil", "%2F%2Fevil"),
        (b"%2e%2e", "%252e%252e"),
        (b"?x=1&y#z", "%3Fx%3D1%26y%23z"),
        (b"a b\r\nX: y\0", "a%20b%0D%0AX%3A%20y%00"),
        ("Zürich".encode(), "Z%C3%BCrich"),
        (b"\xff\xfe", "%FF%FE"),
        (b"{offset}", "%7Boffset%7D"),
        (b"...", "..."),
        (b"\\", "%5C"),
        (b"@evil", "%40evil"),
    ],
)
def test_a_key_in_the_path_stays_within_its_segment(key: bytes, expected: str) -> None:
    assert target(key) == f"/items/{expected}?at=42"


@pytest.mark.parametrize("key", [None, b"", b".", b"..", b"k" * 3000])
def test_a_key_that_would_change_the_path_makes_the_record_unsendable(key: bytes | None) -> None:
    with pytest.raises(UnsendableRecord) as caught:
        target(key)
    assert caught.value.reason == Reason.UNSAFE_KEY


def test_dots_are_only_dangerous_alone() -> None:
    assert target(b"..", "http://service/v{key}") == "/v.."
    with pytest.raises(UnsendableRecord):
        target(b".", "http://service/.{key}/x")
    with pytest.raises(UnsendableRecord):
        target(b".", "http://service/%2e{key}")
    assert target(b"..", "http://service/?k={key}") == "/?k=.."


def test_all_placeholders_and_braces() -> None:
    template = make_template(
        url="http://service/{topic}/{partition}/{offset}/{key}/{key}",
        headers={"X-All": "{topic} {partition} {offset} {key}", "X-Braces": '{{"a": "{key}"}}'},
    )
    for offset in (1, 2):
        request = template.request(make_delivery(key=b"k 1", partition=7, offset=offset))
        assert request_parts(request).target == f"/charging_sessions/7/{offset}/k%201/k%201"
        assert headers(request)["X-All"] == f"charging_sessions 7 {offset} k 1"
        assert headers(request)["X-Braces"] == '{"a": "k 1"}'
        assert headers(request)["Idempotency-Key"] == f"charging_sessions-7-{offset}"


@pytest.mark.parametrize(
    "key",
    [
        None, b"", b"a\r\nX: y", b"a\rb", b"a\nb", b"a\0b", b"a\tb", b"\x7f", b" a", b"a ", b"\xff", "Zürich".encode(),
        "\u2028".encode(), b"k" * 3000,
    ],
)  # fmt: skip
def test_a_key_that_would_break_a_header_makes_the_record_unsendable(key: bytes | None) -> None:
    with pytest.raises(UnsendableRecord) as caught:
        make_template(headers={"X-Key": "{key}"}).request(make_delivery(key=key))
    assert caught.value.reason == Reason.UNSAFE_KEY


def test_errors_do_not_tell_the_key() -> None:
    for deliver in ({"headers": {"X-Key": "{key}"}}, {"url": "http://service/{key}"}):
        for key in (b"canary\r\n", b"canary" * 1000):
            try:
                make_template(**deliver).request(make_delivery(key=key))
            except UnsendableRecord as error:
                assert "canary" not in f"{error!r} {error.detail}"


@pytest.mark.parametrize("topic", ["", "a b", "a\r\nX: y", "a/b", "ä", "a" * 250, "a\n"])
def test_a_topic_that_kafka_would_not_have_is_not_put_into_headers(topic: str) -> None:
    with pytest.raises(UnsendableRecord) as caught:
        make_template().request(make_delivery(topic=topic))
    assert caught.value.reason == Reason.UNSAFE_HEADER


@given(
    key=st.one_of(st.none(), st.binary(max_size=30)),
    topic=st.one_of(st.sampled_from(["a", "b.c"]), st.text(max_size=5)),
    value=st.binary(max_size=30),
    record_headers=st.lists(st.tuples(st.sampled_from(["traceparent", "host"]), st.binary(max_size=60)), max_size=3),
)
def test_no_record_can_change_the_shape_of_its_request(
    key: bytes | None, topic: str, value: bytes, record_headers: list[tuple[str, bytes]]
) -> None:
    template = make_template(url="http://service/a/{key}/b/{topic}?c={key}", headers={"X-Key": "<{key}>"}, body="bytes")
    try:
        request = template.request(make_delivery(value, key=key, topic=topic, headers=tuple(record_headers)))
    except UnsendableRecord:
        return
    head, _, body = request.partition(b"\r\n\r\n")
    assert body == value
    lines = head.split(b"\r\n")
    assert re.fullmatch(rb"POST /a/[^/?#\s]+/b/[\w.-]+\?c=[^&#\s]* HTTP/1\.1", lines[0])
    assert lines[1] == b"Host: service"
    assert len(lines) == 10
    assert all(re.fullmatch(rb"[A-Za-z-]+: [\x20-\x7e]+", line) for line in lines[1:])


@pytest.mark.parametrize(
    "name",
    ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "Expect", "Upgrade", "TE", "Trailer", "Keep-Alive",
     "Idempotency-Key", "Hookline-Attempt", "traceparent", "Accept-Encoding", "Content-Type", "Proxy-Authorization"],
)  # fmt: skip
def test_headers_that_frame_a_request_or_are_ours_can_not_be_set(name: str) -> None:
    with pytest.raises(SettingsError, match=rf"deliver\.headers\.{name}"):
        make_template(headers={name: "x"})


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b", " a", "a ", "Zürich", "\x7f", "a\rb"])
def test_a_header_s_value_of_the_settings_is_checked_again(value: str) -> None:
    with pytest.raises(SettingsError, match=r"deliver\.headers\.X-A"):
        unchecked(headers={"X-A": value})
    with pytest.raises(SettingsError, match=r"deliver\.content_type"):
        unchecked(content_type=value)


@pytest.mark.parametrize("name", ["", "X A", "X:A", "X\r\nY", "Ä", "X\0"])
def test_a_header_s_name_of_the_settings_is_checked_again(name: str) -> None:
    with pytest.raises(SettingsError, match=r"deliver\.headers: not a header's name"):
        unchecked(headers={name: "x"})


def test_all_headers_that_can_not_be_set_are_told_at_once() -> None:
    headers = {"Host": "x", "TE": "y", "X-A": "{nothing}", "X-B": "\n", "x-a": "1"}
    with pytest.raises(SettingsError) as caught:
        unchecked(headers=headers)
    told = [problem.partition(": ")[0] for problem in caught.value.problems]
    assert told == [f"deliver.headers.{name}" for name in headers]


def test_a_header_may_be_there_once() -> None:
    with pytest.raises(SettingsError, match="twice"):
        make_template(headers={"X-A": "1", "x-a": "2"})
    with pytest.raises(SettingsError, match=r"deliver\.auth sets this header too"):
        make_template(("authorization", "Bearer t"), headers={"Authorization": "x"})


@pytest.mark.parametrize("value", ["{unknown}", "{", "}", "{key", "{{key}", "{ key }", "{Key}", "{key.id}"])
def test_an_unknown_placeholder_is_refused_and_the_known_ones_are_named(value: str) -> None:
    with pytest.raises(SettingsError, match=r"deliver\.headers\.X-A: .*\{key\}, \{topic\}, \{partition\}, \{offset\}"):
        make_template(headers={"X-A": value})
