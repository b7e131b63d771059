"""What a soak's verdict stands on, and a soak of some twenty seconds."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.soak.full_topic import full_topic
from tests.soak.picture import picture
from tests.soak.samples import Sample, figures_of, rates, write_samples
from tests.soak.setting import Options
from tests.soak.verdict import MIB, memory_of

from hookline.demo.kafka_broker import KafkaBroker


def samples(resident_mib: Callable[[int], float], count: int = 60) -> list[Sample]:
    return [Sample(10.0 * n, "failing", int(resident_mib(n) * MIB), 1, 1, 100 * n, 5) for n in range(count)]


def test_memory_that_goes_up_and_down_is_flat() -> None:
    memory = memory_of(samples(lambda n: 100 + n % 7), warm_up_seconds=60)
    assert memory.is_flat
    assert abs(memory.slope_bytes_per_hour) < 10 * MIB


@pytest.mark.parametrize("mib_per_sample", [0.5, 2.0])
def test_memory_that_only_grows_is_not_flat(mib_per_sample: float) -> None:
    memory = memory_of(samples(lambda n: 100 + mib_per_sample * n), warm_up_seconds=60)
    assert not memory.is_flat
    assert memory.slope_bytes_per_hour == pytest.approx(mib_per_sample * 360 * MIB, rel=0.01)


def test_what_is_loaded_in_the_warm_up_does_not_count() -> None:
    assert memory_of(samples(lambda n: 50 if n < 6 else 100), warm_up_seconds=60).is_flat
    with pytest.raises(ValueError, match="only 3 samples"):
        memory_of(samples(lambda n: 50, count=9), warm_up_seconds=60)


def test_figures_are_added_up_over_their_series() -> None:
    page = (
        "# TYPE hookline_lag_records gauge\n"
        'hookline_lag_records{partition="0"} 3\nhookline_lag_records{partition="1"} NaN\n'
        'hookline_lag_records{partition="2"} 4\n'
        "# TYPE hookline_deliveries_total counter\n"
        'hookline_deliveries_total{outcome="delivered"} 9\nhookline_deliveries_total{outcome="expired"} 1\n'
    )
    figures = figures_of(page)
    assert (figures["hookline_lag_records"], figures["delivered"]) == (7.0, 9.0)


def test_a_soak_is_drawn_and_written_down(tmp_path: Path) -> None:
    taken = {
        "one & two": samples(lambda n: 100.0),
        "other": [replace(s, lag_records=None) for s in samples(lambda n: 9.0)],
    }
    assert set(rates(taken["other"])) == {(10.0 * n, 10.0) for n in range(1, 60)}
    drawing = ET.fromstring(picture("a <soak>", taken))
    assert len(drawing.findall("{http://www.w3.org/2000/svg}polyline")) == 6
    write_samples(tmp_path / "samples.csv", taken)
    assert len((tmp_path / "samples.csv").read_text().splitlines()) == 121


@pytest.mark.timeout(200)
@pytest.mark.parametrize("client", ["aiokafka", "librdkafka"])
async def test_before_a_service_that_is_down_memory_stays_within_its_bounds(
    kafka_broker: KafkaBroker, tmp_path: Path, client: str
) -> None:
    options = Options(
        minutes=0.35,
        folder=tmp_path,
        client=client,
        bound_bytes=4 * MIB,
        topic_bytes=60 * MIB,
        sample_seconds=0.5,
        fault_seconds=3.0,
    )
    report = await full_topic(options, lambda _: None, kafka_broker)
    assert not report.short, report.summary()
