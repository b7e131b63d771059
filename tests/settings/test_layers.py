"""Defaults, file, environment and flags, one over the other, each value with the place it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.settings.settings_files import problems_of, written

from hookline.settings.loading import load_settings
from hookline.settings.names import HEADER_NAME, HEADER_VALUE
from hookline.settings.provenance import Layer
from hookline.settings.tree import Settings


def test_without_any_layer_the_defaults_are_those_of_the_documented_service():
    settings = load_settings().settings
    assert settings == Settings()
    assert settings.kafka.servers == ["localhost:9092"]
    assert settings.kafka.topics == ["charging_sessions"]
    assert settings.kafka.group_id == "auth-group"
    assert settings.kafka.start == "earliest"
    assert settings.deliver.url == "http://127.0.0.1:5000/check"
    assert settings.deliver.method == "POST"


def test_each_layer_goes_over_the_one_below_setting_by_setting(tmp_path: Path):
    file = written(tmp_path, "kafka:\n  group_id: of-file\n  client_id: of-file\n  topics: [of-file]\n")
    environment = {"HOOKLINE_KAFKA__GROUP_ID": "of-environment", "HOOKLINE_KAFKA__CLIENT_ID": "of-environment"}
    result = load_settings(file, environment, {"kafka.group_id": ["of-flag"]})
    kafka = result.settings.kafka
    assert (kafka.group_id, kafka.client_id, kafka.topics) == ("of-flag", "of-environment", ["of-file"])
    assert kafka.servers == ["localhost:9092"]
    assert str(result.origin("kafka.group_id")) == "--kafka.group_id"
    assert str(result.origin("kafka.client_id")) == "HOOKLINE_KAFKA__CLIENT_ID"
    assert str(result.origin("kafka.topics")) == f"{file}:4"
    assert str(result.origin("kafka.servers")) == "default"


def test_a_value_that_equals_the_default_still_says_that_it_was_given(tmp_path: Path):
    result = load_settings(written(tmp_path, "kafka: {group_id: auth-group}\n"))
    assert result.origin("kafka.group_id").layer is Layer.FILE


@pytest.mark.parametrize(
    ("text", "topics"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        (" a , b ,", ["a", "b"]),
        ('["a", "b"]', ["a", "b"]),
    ],
)
def test_lists_are_given_with_commas_or_as_json(text: str, topics: list[str]):
    assert load_settings(environment={"HOOKLINE_KAFKA__TOPICS": text}).settings.kafka.topics == topics
    assert load_settings(flags={"kafka.topics": [text]}).settings.kafka.topics == topics


def test_a_flag_for_a_list_can_be_repeated():
    assert load_settings(flags={"kafka.topics": ["a,b", "c"]}).settings.kafka.topics == ["a", "b", "c"]


def test_of_a_repeated_flag_the_last_one_counts():
    assert load_settings(flags={"kafka.group_id": ["a", "b"]}).settings.kafka.group_id == "b"


def test_mappings_are_given_as_json_and_replace_the_lower_layer_as_a_whole(tmp_path: Path):
    file = written(tmp_path, "deliver:\n  headers: {X-Of-File: a}\n")
    settings = load_settings(file, {"HOOKLINE_DELIVER__HEADERS": '{"X-Team": "charging"}'}).settings
    assert settings.deliver.headers == {"X-Team": "charging"}


@pytest.mark.parametrize("text", ["X-Team=charging", "[]", "{", '{"a": "b", "a": "c"}', "[" * 100_000])
def test_a_mapping_that_is_no_json_says_how_to_write_one(text: str):
    assert problems_of(environment={"HOOKLINE_DELIVER__HEADERS": text}) == [
        'HOOKLINE_DELIVER__HEADERS: deliver.headers: expected a mapping as JSON, such as {"name": "value"}'
    ]


def test_null_unsets_an_optional_setting_of_a_lower_layer(tmp_path: Path):
    file = written(tmp_path, "console: {listen: '127.0.0.1:8080'}\n")
    assert load_settings(file, {"HOOKLINE_CONSOLE__LISTEN": "null"}).settings.console.listen is None
    assert load_settings(file, flags={"console.listen": ["null"]}).settings.console.listen is None


def test_null_is_a_text_like_any_other_where_a_setting_cannot_be_unset():
    assert load_settings(environment={"HOOKLINE_KAFKA__GROUP_ID": "null"}).settings.kafka.group_id == "null"


def test_an_empty_variable_counts_as_not_there_since_platforms_set_those():
    result = load_settings(environment={"HOOKLINE_KAFKA__GROUP_ID": "", "HOOKLINE_NONSENSE": ""})
    assert result.settings == Settings()


def test_empty_text_in_a_flag_is_a_value():
    assert problems_of(flags={"kafka.group_id": [""]}) == ["--kafka.group_id: expected text that is not empty, got ''"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HOOKLINE_KAFKA__GROUPID", "did you mean HOOKLINE_KAFKA__GROUP_ID?"),
        ("HOOKLINE_KAFKA_GROUP_ID", "did you mean HOOKLINE_KAFKA__GROUP_ID?"),
        ("hookline_kafka__group_id", "did you mean HOOKLINE_KAFKA__GROUP_ID?"),
        ("HOOKLINE_CONFIGS", "did you mean HOOKLINE_CONFIG?"),
        ("HOOKLINE_DELIVER__HEADERS__X_TEAM", "set all of it as JSON with HOOKLINE_DELIVER__HEADERS"),
        ("HOOKLINE_WHATEVER", "kafka.group_id, for example, is HOOKLINE_KAFKA__GROUP_ID"),
    ],
)
def test_an_unknown_variable_is_a_mistake_and_says_what_was_meant(name: str, meant: str):
    assert problems_of(environment={name: "x"}) == [f"{name}: unknown environment variable; {meant}"]


def test_variables_of_others_and_of_kubernetes_are_let_be():
    load_settings(
        environment={
            "HOOKLINE_SERVICE_HOST": "10.0.0.1",
            "HOOKLINE_SERVICE_PORT": "8080",
            "HOOKLINE_SERVICE_PORT_METRICS": "8080",
            "HOOKLINE_PORT": "tcp://10.0.0.1:8080",
            "HOOKLINE_PORT_8080_TCP": "tcp://10.0.0.1:8080",
            "HOOKLINE_PORT_8080_TCP_ADDR": "10.0.0.1",
            "HOOKLINE_METRICS_SERVICE_HOST": "10.0.0.2",
            "HOOKLINE_CONFIG": "somewhere.yaml",
            "HOOKLINE_DEBUG": "1",
            "MY_HOOKLINE_X": "1",
            "PATH": "/bin",
        }
    )


def test_problems_of_all_layers_are_reported_together_in_the_order_of_the_layers(tmp_path: Path):
    file = written(tmp_path, "deliver:\n  timeout: soon\nkafka:\n  group_ip: a\n")
    assert problems_of(file, {"HOOKLINE_X": "1", "HOOKLINE_LOG__LEVEL": "loud"}, {"deliver.in_flight": ["0"]}) == [
        "hookline.yaml:2: deliver.timeout: expected a duration such as 250ms, 10s, 5m, 2h or 7d, got 'soon'",
        "hookline.yaml:4: kafka.group_ip: unknown key; did you mean 'group_id'?",
        "HOOKLINE_X: unknown environment variable; kafka.group_id, for example, is HOOKLINE_KAFKA__GROUP_ID",
        "HOOKLINE_LOG__LEVEL: log.level: expected one of debug, info, warning, error, got 'loud'",
        "--deliver.in_flight: expected a whole number, at least 1 and at most 100000, or one of adaptive, got '0'",
    ]


def test_entries_of_one_mapping_are_all_told_even_when_their_names_are_cut_to_the_same():
    headers = {"bad name": "a", "bad title": "b", "worse:": "c", "X-Good": "\n", "X-Fine": "d"}
    name, value = HEADER_NAME.expected, HEADER_VALUE.expected
    assert problems_of(environment={"HOOKLINE_DELIVER__HEADERS": json.dumps(headers)}) == [
        f"HOOKLINE_DELIVER__HEADERS: deliver.headers.bad…: expected {name}, got text (2 such entries)",
        f"HOOKLINE_DELIVER__HEADERS: deliver.headers.worse…: expected {name}, got text",
        f"HOOKLINE_DELIVER__HEADERS: deliver.headers.X-Good: expected {value}, got text",
    ]


def test_the_message_of_many_problems_stops_somewhere(tmp_path: Path):
    file = written(tmp_path, "kafka:\n" + "".join(f"  unknown_{number}: 1\n" for number in range(500)))
    assert len(problems_of(file)) == 500
    with pytest.raises(Exception, match="and 450 more") as caught:
        load_settings(file)
    assert str(caught.value).startswith("500 problems with the settings:\n")
