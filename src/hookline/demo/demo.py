"""The demonstration as a whole: what is started, in which order, when it is over, and what it comes to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from itertools import islice

from hookline.console.interface import console_of
from hookline.demo.account import Account, take_account
from hookline.demo.authorization_process import AuthorizationProcess
from hookline.demo.brokers import PARTITIONS, Broker, open_broker
from hookline.demo.charging_sessions import charging_sessions
from hookline.demo.cluster import Cluster
from hookline.demo.demo_settings import demo_settings
from hookline.demo.embedded_sink import EmbeddedSink
from hookline.demo.fault_plan import FaultRunner, fault_plan
from hookline.demo.flow import Flow
from hookline.demo.live_view import Heading
from hookline.demo.options import DemoOptions
from hookline.demo.screen import Screen
from hookline.demo.session_producer import SessionProducer
from hookline.demo.tasks import cancelled, while_running
from hookline.errors import KafkaUnavailable
from hookline.service.delivery_service import DeliveryService
from hookline.settings.loading import LoadedSettings
from hookline.settings.tree import Settings

_ASSIGNMENT_SECONDS = 60.0
_STOP_SECONDS = 30.0
_EMBEDDED_REDRIVES_NOTHING = (
    "The demonstration's embedded broker keeps no names of group members, so nothing can be redriven safely. Start the"
    " demonstration with --broker kafka."
)


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The account, and how the run ended: `interrupted` by a person, or not `settled` since nothing moved any more."""

    account: Account
    broker: str
    interrupted: bool
    settled: bool


class Demo:
    """One run. `run` does it; `interrupt` ends it early, from a signal handler on the loop's thread."""

    def __init__(self, options: DemoOptions, screen: Screen) -> None:
        self._options = options
        self._screen = screen
        self._interrupted = asyncio.Event()
        self._flowing = False
        self._settled = True
        self._task: asyncio.Task[DemoResult] | None = None

    def interrupt(self) -> None:
        """Stop producing and take the account so far; before the first record, and the second time, end at once."""
        if self._task is not None and (self._interrupted.is_set() or not self._flowing):
            self._task.cancel()
        self._interrupted.set()

    async def run(self) -> DemoResult:
        """Start everything, let the records flow, wait until all are settled, and take the account.

        Raises a `HooklineError` when a part cannot be started or gives up, and CancelledError when it was interrupted
        before anything flowed.
        """
        self._task = asyncio.current_task()
        async with (
            open_broker(self._options, self._screen.say) as broker,
            AuthorizationProcess(self._options.seed) as service,
        ):
            producer = self._producer(broker)
            await producer.start()
            try:
                await self._deliver(broker, service, producer)
                account = await self._account(broker, service, producer)
            finally:
                await producer.stop()
        return DemoResult(account, broker.words, self._interrupted.is_set(), self._settled)

    async def _deliver(self, broker: Broker, service: AuthorizationProcess, producer: SessionProducer) -> None:
        """Run the delivery from the first record to its end."""
        settings = demo_settings(broker, service.url, self._options.client)
        without_idempotence = broker.embedded and self._options.client == "aiokafka"
        sink = EmbeddedSink(settings.kafka, settings.dead_letter) if without_idempotence else None
        delivery = DeliveryService(settings, sink=sink)
        refusal = _EMBEDDED_REDRIVES_NOTHING if broker.embedded else ""
        console = console_of(delivery, LoadedSettings(settings, {}, {}), refusal)
        running = asyncio.create_task(delivery.run(), name="demo delivery")
        faults = FaultRunner(
            fault_plan(self._options.planned_seconds) if self._options.faults else (), service.behave, self._screen.say
        )
        flow = Flow(delivery, producer, faults, self._screen, self._interrupted)
        try:
            await console.start()
            self._screen.say("Joining the consumer group.")
            await while_running(running, _assigned(delivery))
            self._screen.begin(Heading(broker.words, self._options.length, _log_in_address(console.url, settings)))
            self._flowing = True
            self._settled = await while_running(running, flow.run())
            delivery.request_stop()
            await asyncio.wait({running}, timeout=_STOP_SECONDS)
            if running.done():
                running.result()
        finally:
            self._screen.end()
            if not running.done():
                delivery.abort()
            await cancelled(running, quiet=True)
            await console.stop()

    def _producer(self, broker: Broker) -> SessionProducer:
        options = self._options
        return SessionProducer(
            broker.servers,
            broker.topic,
            seed=options.seed,
            rate=options.rate,
            records=options.records,
            seconds=options.limit_seconds,
            malformed=options.faults,
            idempotent=not broker.embedded,
        )

    async def _account(self, broker: Broker, service: AuthorizationProcess, producer: SessionProducer) -> Account:
        cluster = Cluster(broker.servers)
        dead_letters = await cluster.dead_letters([broker.dead_letter_topic])
        # Made anew from the seed: to keep the values while records flow would cost memory for nothing.
        wanted = {letter.session for letter in dead_letters}
        sessions = islice(charging_sessions(self._options.seed, self._options.faults), len(producer.produced))
        return take_account(
            producer.produced,
            await service.account(),
            dead_letters,
            await cluster.committed_offsets(broker.group, broker.topic, PARTITIONS),
            {session.id: session.value for session in sessions if session.id in wanted},
        )


async def _assigned(delivery: DeliveryService) -> None:
    """Return when all partitions are ours; raises `KafkaUnavailable` when that takes a minute."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _ASSIGNMENT_SECONDS
    while len(delivery.status().partitions) < PARTITIONS:
        if loop.time() > deadline:
            raise KafkaUnavailable(
                f"the consumer group did not give us the partitions within {_ASSIGNMENT_SECONDS:g} s"
            )
        await asyncio.sleep(0.05)


def _log_in_address(url: str, settings: Settings) -> str:
    """Where the page is, with what to log in with behind the #, which no browser sends."""
    token = settings.console.token
    return f"{url}/login#{token.get_secret_value()}" if token is not None else url
