"""What goes wrong when, as the plan has it; and healing."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.simulation.drawing import SERVICE_FAULTS
from tests.simulation.plan import Fault

from hookline.engine.records import TopicPartition
from hookline.errors import SourceFatal

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

_RESTART_SECONDS = 0.3


class Faults:
    """Begins and ends the faults of a plan. To add a kind: a weight in `drawing`, and who asks for it or acts here."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._active: dict[str, list[Fault]] = {}
        self._asked: Counter[str] = Counter()
        self._random = world.random("shares")
        self.healed = False

    def concerns(self, kind: str) -> bool:
        """Whether a fault of this kind is under way and the share that it concerns includes this one."""
        active = self._active.get(kind)
        return bool(active) and self._random.random() < max(fault.share for fault in active or ())

    def schedule(self) -> None:
        """Have all of them happen."""
        for fault in self._world.plan.faults:
            self._world.after(fault.at, self._begin, fault)
        for partition, at in self._world.plan.appears_at.items():
            if at:
                self._world.after(at, self._add_partition, partition)

    def heal(self) -> None:
        """End all of them; what needs a hand by design gets it."""
        self.healed = True
        self._active.clear()
        self._world.service_faults.clear()
        for process in list(self._world.processes.values()):
            self._reconnect(process)
            self._thaw(process)
            process.wall_offset = 0.0
            process.source.hangs = False
        self._give_a_hand()
        # A 410 may be on its way now, to a request that was made before.
        self._world.after(self._world.settings.deliver.timeout + 0.1, self._give_a_hand)

    def _give_a_hand(self) -> None:
        for process in list(self._world.processes.values()):
            if process.waits_until == float("inf"):
                self._hang_up(process)

    def _begin(self, fault: Fault) -> None:
        world = self._world
        if self.healed:
            return
        world.tell("world", "{}", fault)
        if fault.member >= 0:
            process = world.processes.get(fault.member)
            if process is not None:
                world.count(fault.kind)
                getattr(self, f"_{fault.kind}")(process, fault)
            return
        if fault.kind in SERVICE_FAULTS:
            world.service_faults.append(fault)
        else:
            self._active.setdefault(fault.kind, []).append(fault)
        world.after(fault.seconds, self._end, fault)

    def _end(self, fault: Fault) -> None:
        world = self._world
        if self.healed:
            return
        world.tell("world", "no more {}", fault.kind.replace("_", " "))
        if fault in world.service_faults:
            world.service_faults.remove(fault)
            if fault.kind in ("service_401", "service_403") and fault.share == 1.0:
                self._renew_secrets()
        elif fault in self._active.get(fault.kind, ()):
            self._active[fault.kind].remove(fault)

    def _add_partition(self, partition: TopicPartition) -> None:
        self._world.count("partition_added")
        self._world.group.rebalance(f"{partition} is added")

    def _renew_secrets(self) -> None:
        self._world.count("secret_renewed")
        for process in self._world.processes.values():
            process.sender.secret_changed = True

    # Each kind that happens to a member

    def _crash(self, process: Process, fault: Fault) -> None:
        world = self._world
        world.tell(process.name, "is killed")
        process.kill()
        world.processes.pop(process.slot, None)
        world.after(_RESTART_SECONDS + fault.seconds, world.start_process, process.slot)

    def _stop(self, process: Process, _fault: Fault) -> None:
        if not process.was_asked_to_stop:
            process.was_asked_to_stop = True
            self._world.tell(process.name, "gets SIGTERM")
            process.owner.context.run(process.service.request_stop)

    def _freeze(self, process: Process, fault: Fault) -> None:
        self._stand_still(process, 0.5 * self._world.settings.kafka.session_timeout + fault.seconds)

    def _stutter(self, process: Process, fault: Fault) -> None:
        self._stand_still(process, min(fault.seconds, 0.4 * self._world.settings.kafka.session_timeout))

    def _stand_still(self, process: Process, seconds: float) -> None:
        world = self._world
        if process.frozen_at is not None:
            return
        process.freeze()
        session = world.settings.kafka.session_timeout
        if seconds > session:
            world.after(session, self._put_out_if_still, process, process.frozen_at)
        world.after(seconds, self._thaw, process)

    def _put_out_if_still(self, process: Process, frozen_at: float) -> None:
        if process.frozen_at == frozen_at:
            self._world.group.put_out(process.source, "it stood still for a session")

    def _thaw(self, process: Process) -> None:
        if process.frozen_at is None or process.is_dead:
            return
        self._world.tell(process.name, "goes on after {:.3f} s", self._world.loop.time() - process.frozen_at)
        process.thaw()

    def _cut_off(self, process: Process, fault: Fault) -> None:
        world = self._world
        process.is_cut_off = True
        world.after(world.settings.kafka.session_timeout, self._put_out_if_cut_off, process)
        world.after(world.settings.kafka.session_timeout * 0.9 + fault.seconds, self._reconnect, process)

    def _put_out_if_cut_off(self, process: Process) -> None:
        if process.is_cut_off and not process.is_dead:
            self._world.group.put_out(process.source, "it is cut off from the brokers")

    def _reconnect(self, process: Process) -> None:
        if process.is_cut_off:
            process.is_cut_off = False
            self._world.tell(process.name, "reaches the brokers again")
            process.source.wake()

    def _clock_jump(self, process: Process, fault: Fault) -> None:
        process.wall_offset += fault.amount

    def _hangup(self, process: Process, _fault: Fault) -> None:
        self._hang_up(process)

    def _hang_up(self, process: Process) -> None:
        process.stop_waiting()
        process.owner.context.run(self._world.loop.create_task, process.service.reload())

    def _abort(self, process: Process, _fault: Fault) -> None:
        process.was_asked_to_stop = True
        process.aborted_at = self._world.loop.time()
        self._world.tell(process.name, "gets SIGTERM twice")
        process.owner.context.run(process.service.request_stop)
        process.owner.context.run(process.service.abort)

    def _client_fails(self, process: Process, _fault: Fault) -> None:
        process.source.failure = SourceFatal("the Kafka client cannot go on")
        process.source.wake()

    def _client_hangs(self, process: Process, _fault: Fault) -> None:
        process.source.hangs = True

    def _rejoin(self, process: Process, _fault: Fault) -> None:
        self._world.group.rebalance(f"{process.name} asks for it")
