"""From the settings to what the engine is told."""

from __future__ import annotations

from hookline.engine.allowance import AllowancePolicy
from hookline.engine.breaker import BreakerPolicy
from hookline.engine.budget import Bounds
from hookline.engine.options import EngineOptions, Order
from hookline.engine.pace import Rate
from hookline.engine.retries import RetryPolicy
from hookline.engine.verdicts import FailureKind, Verdict, VerdictPolicy
from hookline.settings.deliver import DeliverRate
from hookline.settings.tree import Settings


def engine_options(settings: Settings) -> EngineOptions:
    """The engine's options as the settings have them."""
    deliver, retry, breaker = settings.deliver, settings.retry, settings.breaker
    bounds, dead_letter = settings.bounds, settings.dead_letter
    return EngineOptions(
        order=Order(deliver.order),
        keyless_in_order=deliver.keyless == "partition",
        skip_tombstones=deliver.tombstones == "skip",
        in_flight=deliver.most_in_flight,
        adaptive=deliver.in_flight == "adaptive",
        rate=_rate(deliver.rate),
        fleet_rate=_rate(deliver.fleet_rate),
        fetch_records=settings.kafka.fetch_records,
        answer_bytes=dead_letter.answer_bytes,
        bounds=Bounds(
            bounds.records,
            bounds.bytes,
            min(bounds.partition_records, bounds.records),
            min(bounds.partition_bytes, bounds.bytes),
        ),
        retry=RetryPolicy(
            initial_delay=retry.initial_delay,
            multiplier=retry.multiplier,
            max_delay=retry.max_delay,
            max_attempts=retry.max_attempts,
            max_age=retry.max_age,
            retry_after_cap=retry.retry_after_cap,
            throttle_delay=retry.throttle_delay,
        ),
        verdicts=VerdictPolicy(
            {status: Verdict(word) for status, word in settings.verdicts.statuses.items()},
            {FailureKind(kind): Verdict(word) for kind, word in settings.verdicts.failures.items()},
        ),
        breaker=BreakerPolicy(
            enabled=breaker.enabled,
            failure_share=breaker.failure_share,
            window_attempts=breaker.window_attempts,
            min_failures=breaker.min_failures,
            probe_delay=breaker.probe_delay,
            max_probe_delay=breaker.max_probe_delay,
            credentials_probe_delay=breaker.credentials_probe_delay,
        ),
        allowance=AllowancePolicy(dead_letter.allowance, dead_letter.allowance_refill, dead_letter.success_pays),
        commit_records=settings.commit.records,
        # One less for the NUL that librdkafka ends metadata with.
        map_limit_characters=settings.commit.metadata_characters - 1,
    )


def _rate(rate: DeliverRate) -> Rate:
    return Rate(rate.records or None, rate.bytes or None, rate.burst)
