"""What a benchmark's verdict stands on."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
from benchmarks.contenders import CONTENDERS, Hookline, Task
from benchmarks.measure import Measurement
from benchmarks.processes import cpu_seconds, peak_memory_bytes, tree
from benchmarks.report import Outcome, judge, table, write_results
from benchmarks.scenarios import SCENARIOS, Difference, Match, Scenario, TopicShape
from benchmarks.topics import value

from hookline.settings.tree import Settings

SCENARIO = Scenario("one", "a scenario", TopicShape(1000), 0, in_flight=1, delay_ms=0, matches=())
OURS = Measurement(
    contender="hookline",
    records=1000,
    records_per_second=90.0,
    cpu_microseconds=12.0,
    steady_records_per_second=100.0,
    steady_cpu_microseconds=10.0,
    peak_memory_bytes=1,
    peak_in_flight=1,
    first_request_seconds=0.1,
    repeated=0,
    receiver_cpu_microseconds=1.0,
    foreign_cpu_share=0.0,
    stolen_cpu_share=0.0,
)
THEIRS = dataclasses.replace(
    OURS, contender="other", steady_records_per_second=50.0, records_per_second=50.0, steady_cpu_microseconds=20.0
)
SLOWER = dataclasses.replace(OURS, steady_records_per_second=60.0)
EVEN_SLOWER = dataclasses.replace(OURS, steady_records_per_second=40.0)


def test_a_bar_is_met_by_the_ratio_of_medians_of_the_steady_part() -> None:
    pairs = [(OURS, THEIRS), (OURS, THEIRS), (EVEN_SLOWER, THEIRS)]
    verdict = judge(SCENARIO, Match("other", rate_at_least=2.0, cpu_at_most=0.5), pairs)
    assert verdict.outcome is Outcome.MET
    assert verdict.rate is not None
    assert (verdict.rate.of_medians, verdict.rate.lowest, verdict.rate.highest) == (2.0, 0.8, 2.0)
    assert "with start and end 1.80 x" in str(verdict)


@pytest.mark.parametrize(
    "match", [Match("other", rate_at_least=2.1), Match("other", cpu_at_most=0.4), Match("other", 1.0, 0.4)]
)
def test_one_bar_that_is_not_reached_misses(match: Match) -> None:
    assert judge(SCENARIO, match, [(OURS, THEIRS)]).outcome is Outcome.MISSED


@pytest.mark.parametrize(
    ("match", "outcome"),
    [
        (Match("other", start_at_most=2.0), Outcome.MET),
        (Match("other", start_at_most=0.9), Outcome.MISSED),
        (Match("other", repeated_at_most=1.0), Outcome.MET),
        (Match("other", resumed_at_most=1.0), Outcome.MISSED),
        (Match("other", attempt_p99_at_most=1.2), Outcome.MET),
        (Match("other", attempt_p99_at_most=1.05), Outcome.MISSED),
    ],
)
def test_starts_repeats_and_latencies_have_bars_of_their_own(match: Match, outcome: Outcome) -> None:
    ours = dataclasses.replace(OURS, repeated=0, resumed_seconds=3.0, attempt_p99_ms=55.0, latency_p99_ms=50.0)
    theirs = dataclasses.replace(THEIRS, repeated=0, resumed_seconds=2.0)
    assert judge(SCENARIO, match, [(ours, theirs)]).outcome is outcome


def test_a_p99_that_was_not_told_is_no_good_one() -> None:
    untold = dataclasses.replace(OURS, latency_p99_ms=50.0)
    assert judge(SCENARIO, Match("other", attempt_p99_at_most=1.2), [(untold, THEIRS)]).outcome is Outcome.MISSED


def test_the_other_side_of_a_match_has_what_is_different_for_it() -> None:
    match = Match("hookline", but=Difference("with 4", topic=TopicShape(5), delay_ms=0.5))
    seen = SCENARIO.seen_by(match)
    assert (seen.topic.records, seen.delay_ms, seen.in_flight) == (5, 0.5, SCENARIO.in_flight)
    assert match.label == "hookline with 4"
    assert SCENARIO.seen_by(Match("hookline")) is SCENARIO


def test_a_run_that_left_lag_makes_the_verdict_void_however_fast_it_was() -> None:
    wrong = dataclasses.replace(OURS, problems=["lag 3 at the end"])
    verdict = judge(SCENARIO, Match("other", rate_at_least=1.0), [(OURS, THEIRS), (wrong, THEIRS)])
    assert verdict.outcome is Outcome.VOID
    assert "hookline: lag 3 at the end" in verdict.reason


def test_a_run_too_short_for_a_steady_part_counts_as_a_whole() -> None:
    short = dataclasses.replace(OURS, steady_records_per_second=None, steady_cpu_microseconds=None)
    verdict = judge(SCENARIO, Match("other"), [(short, THEIRS)])
    assert verdict.outcome is Outcome.NO_BAR
    assert verdict.rate is not None
    assert verdict.rate.of_medians == 1.8


def test_the_table_has_a_row_for_each_contender() -> None:
    rows = table(SCENARIO, [OURS, THEIRS, SLOWER], {"hookline": "Hookline", "other": "Other"}).splitlines()
    assert [row.split()[0] for row in rows[2:]] == ["Hookline", "Other"]
    assert rows[2].split()[1] == "80"


def test_results_can_be_read_again(tmp_path: Path) -> None:
    file = tmp_path / "results" / "one.json"
    write_results(file, {"machine": "x"}, {"one": [OURS]}, [judge(SCENARIO, Match("other"), [(OURS, THEIRS)])])
    document = json.loads(file.read_text())
    assert document["runs"]["one"][0]["records_per_second"] == 90.0
    assert document["verdicts"][0]["rate"]["of_medians"] == 2.0


def test_every_scenario_names_contenders_that_exist() -> None:
    for scenario in SCENARIOS:
        assert {scenario.ours, *(match.against for match in scenario.matches)} <= CONTENDERS.keys()


def test_values_are_json_of_the_size_that_was_asked_for() -> None:
    values = [value(number, 190) for number in (0, 1, 599_999)]
    assert {len(each) for each in values} == {190}
    assert len({json.loads(each)["session_id"] for each in values}) == 3
    with pytest.raises(ValueError, match="needs at least"):
        value(0, 20)


@pytest.mark.parametrize("contender", [each for each in CONTENDERS.values() if isinstance(each, Hookline)])
def test_our_settings_are_those_of_the_real_tree(contender: Hookline, tmp_path: Path) -> None:
    task = Task("127.0.0.1:1", "topic", "group", "http://127.0.0.1:2/check", 64, 10, 3, tmp_path)
    command = contender.command(task)
    file = Path(command[command.index("--config") + 1])
    settings = Settings.model_validate_json(json.dumps(contender.settings(task)))
    assert file.parent == tmp_path
    workers = int(command[command.index("--workers") + 1]) if "--workers" in command else 1
    if settings.deliver.in_flight != "adaptive":
        assert settings.deliver.in_flight * workers == 64
    assert settings.kafka.group_id == "group"
    assert settings.console.listen == "127.0.0.1:3"


def test_the_process_table_knows_this_process() -> None:
    assert tree(os.getpid())[0] == os.getpid()
    assert cpu_seconds(os.getpid()) > 0
    assert peak_memory_bytes(os.getpid()) > 1_000_000
    assert peak_memory_bytes(2**22 + 1) == 0
