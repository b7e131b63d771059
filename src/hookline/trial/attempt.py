"""Makes one attempt for one record, as deliveries are made, and says what it would mean for the record."""

from __future__ import annotations

import asyncio
import random
import time
from typing import NamedTuple

from hookline.engine.delivery import Delivery
from hookline.engine.engine import Engine
from hookline.engine.records import Record, TopicPartition
from hookline.engine.verdicts import Outcome, Verdict
from hookline.http.adapters import make_sender
from hookline.http.identity import Identity
from hookline.http.requests import request_parts
from hookline.http.trace_context import Traces
from hookline.service.engine_options import engine_options
from hookline.settings.tree import Settings
from hookline.telemetry.masking import MASK, is_secret_name

MEANINGS = {
    Verdict.DELIVERED: "the record would count as delivered",
    Verdict.RETRY: "the record would be tried again later",
    Verdict.REJECT: "the record would be dead-lettered",
    Verdict.STOP_CREDENTIALS: "sending would stop: the service refuses the credentials",
    Verdict.STOP_GONE: "sending would stop: the service says that it is gone",
}
"""What each verdict means, in words."""
_TICK_SECONDS = 0.05


class RequestShown(NamedTuple):
    """A request made fit to be looked at: values of headers that are secret are masked."""

    line: str
    headers: list[tuple[str, str]]
    body_bytes: int


class Trial(NamedTuple):
    """What came of an attempt."""

    outcome: Outcome
    verdict: Verdict
    seconds: float


def shown_request(settings: Settings, record: Record) -> RequestShown:
    """The request that would be made; raises `UnsendableRecord` when none can be, and `SettingsError`."""
    identity = Identity(settings.deliver, Traces(random.Random()))
    identity.load()
    parts = request_parts(identity.template.request(_delivery(settings, record)))
    auth = settings.deliver.auth
    secret = {"authorization", (auth.header_name or "").lower()}
    headers = [
        (name, MASK if name.lower() in secret or is_secret_name(name) else value) for name, value in parts.headers
    ]
    return RequestShown(f"{settings.deliver.method} {parts.target} HTTP/1.1", headers, len(parts.body))


async def attempt(settings: Settings, record: Record) -> Trial:
    """Send it, once; raises `UnsendableRecord` when no request can be made of it, and `SettingsError`.

    Ends within `deliver.timeout`, with a failure if need be.
    """
    ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def on_outcome(_: Delivery, outcome: Outcome) -> None:
        if not ended.done():
            ended.set_result(outcome)

    sender = make_sender(settings)
    await sender.start(on_outcome)
    try:
        delivery = _delivery(settings, record)
        began = delivery.sent_at = time.monotonic()
        sender.send(delivery)
        while not ended.done():
            await asyncio.wait({ended}, timeout=_TICK_SECONDS)
            sender.tick(time.monotonic())
        outcome = ended.result()
        return Trial(outcome, engine_options(settings).verdicts.judge(outcome), time.monotonic() - began)
    finally:
        await sender.stop()


def _delivery(settings: Settings, record: Record) -> Delivery:
    engine = Engine(engine_options(settings), lambda: 0.5, 0.0)
    place = TopicPartition(record.topic, record.partition)
    delivery = Delivery(record, engine.assignments.assign(place, record.offset, ""), time.monotonic())
    delivery.attempt = 1
    return delivery
