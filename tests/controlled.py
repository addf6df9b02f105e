"""Replicas of one partition under the real controller: brokers register, beat, read its log.

Nothing here moves by itself: the test says who reads, who beats, whose session expires, and when
a proposal arrives. After each of the controller's steps its log is replayed beside it.
"""

from typing import Any

from simulator.protocol import replica_messages as rm
from simulator.protocol.controller import Controller
from simulator.protocol.controller_facts import ControllerSettings, NewTopic, SessionCheck
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.machine import Reply, Request, Step, Timer
from simulator.protocol.replication import Replica
from simulator.protocol.replication_facts import ReplicationConfig
from simulator.protocol.variant import PRESENT, Variant
from tests.replicated import HERE, Replicated

NO_EPOCH_YET = -2


class Asked:
    """A controller, and one who asks it: answers by request, and the timers that are set.

    Attributes:
        answers: {request id: answer} of everything that was answered.
        timers: {name: when it fires}.
        events: what was told to a trace, in order.
    """

    def __init__(
        self,
        settings: ControllerSettings | None = None,
        variant: Variant = PRESENT,
        *,
        names: tuple[str, ...] = ("a", "b", "c"),
        topics: tuple[NewTopic, ...] = (),
    ) -> None:
        self.settings = settings or ControllerSettings()
        self.variant = variant
        self.names = names
        self.journal = Journal("metadata")
        self.now_us = 0
        self.answers: dict[int, Any] = {}
        self.timers: dict[Any, int] = {}
        self.events: list[tuple[Any, ...]] = []
        self._requests = 0
        self.controller = self._load(self.journal)
        self.carry_out(self.controller.boot(topics, 0))
        self.events.clear()

    def _load(self, journal: Journal) -> Controller:
        return Controller(journal, self.settings, self.variant, brokers=self.names)

    def restart(self) -> None:
        """The controller's node loses power, and comes back: what waits there is forgotten."""
        self.journal.lose_power()
        self.timers.clear()
        before = self.controller.hard_state()
        self.controller = self._load(self.journal)
        assert self.controller.hard_state() == before
        self.carry_out(self.controller.recover(self.now_us))

    def send(self, body: Any) -> int:
        """Send a request; its number."""
        self._requests += 1
        self.decide(Request(self._requests, body))
        return self._requests

    def ask(self, body: Any) -> Any:
        """Send a request; its answer, or None while it waits."""
        return self.answers.get(self.send(body))

    def fire(self, name: Any) -> Step:
        """A timer expires."""
        del self.timers[name]
        return self.decide(Timer(name))

    def wait(self, ms: int) -> None:
        """Let time pass; timers fire in their order."""
        until = self.now_us + ms * 1_000
        while self.timers:
            name = min(self.timers, key=lambda name: (self.timers[name], str(name)))
            if self.timers[name] > until:
                break
            self.now_us = max(self.now_us, self.timers[name])
            self.fire(name)
        self.now_us = until

    def decide(self, message: Any) -> Step:
        """Let the controller decide, and carry it out."""
        hard = self.controller.hard_state()
        step = self.controller.decide(message, self.now_us)
        assert step == self.controller.decide(message, self.now_us)
        assert hard == self.controller.hard_state(), "deciding changed something"
        self.carry_out(step)
        return step

    def carry_out(self, step: Step) -> None:
        for fact in step.facts:
            self.events += self.controller.told(fact)
            self.controller.apply(fact)
        assert self._load(self.journal.copy()).hard_state() == self.controller.hard_state()
        for effect in step.effects:
            if isinstance(effect, Reply):
                assert effect.to not in self.answers, "answered twice"
                self.answers[effect.to] = effect.body
            elif hasattr(effect, "least_us"):
                self.timers[effect.name] = self.now_us + effect.least_us
            else:
                self.timers.pop(effect.name, None)

    # --- What brokers ask --------------------------------------------------------------------

    def beat(self, name: str, read: int | None = None, **wants: bool) -> Any:
        """A heartbeat of the incarnation that is registered; it has read everything."""
        epoch = self.controller.brokers[name].epoch
        offset = self.controller.next_offset if read is None else read
        return self.ask(rm.BrokerHeartbeatRequest(name, epoch, offset, **wants))

    def beat_all_but(self, *silent: str) -> None:
        """All brokers but these send a heartbeat."""
        for name in self.controller.brokers:
            if name not in silent:
                self.beat(name)

    def expire(self, *silent: str) -> None:
        """These brokers fall silent until they are fenced; the others live."""
        for _ in range(10):
            self.wait(1_200)
            self.beat_all_but(*silent)


class Controlled(Replicated):
    """Brokers with a disk and, while they are up, a replica and their own reading of the log.

    Attributes:
        alive: the epoch of each broker's present life; NO_EPOCH_YET until it has registered.
        views: what each has read: who is active, with which epoch.
        read_to: up to where each has read; None: its new life has not read yet.
        left: the epoch with which a broker went in order, until its next life has registered.
        leaving: who wants to go in order.
        dirty: who has lost its power, and not been registered since.
        checks_epochs: whether proposals say which incarnations are meant (KIP-903).
    """

    def __init__(
        self,
        names: str = "abc",
        *,
        config: ReplicationConfig,
        variant: Variant = PRESENT,
        unclean: bool = False,
        checks_epochs: bool = True,
    ) -> None:
        super().__init__(names, config=config, alters=False)
        topic = NewTopic("orders", 1, len(names), config.min_insync_replicas, unclean)
        self.asked = Asked(variant=variant, names=tuple(names), topics=(topic,))
        self.checks_epochs = checks_epochs
        self.incarnations = dict.fromkeys(self.names, 0)
        self.alive = {name: number for number, name in enumerate(self.names)}
        self.views = {name: dict(self.alive) for name in self.names}
        self.read_to: dict[str, int | None] = dict.fromkeys(self.names)
        self.left: dict[str, int] = {}
        self.leaving: list[str] = []
        self.dirty: list[str] = []
        self.fenced = 0
        for name in self.names:
            self.up[name] = self.replica_of(name)
            self.read_to[name] = self.controller.next_offset
            self.tell(name)

    @property
    def controller(self) -> Controller:
        return self.asked.controller

    @property
    def registration(self) -> rm.PartitionRegistration:
        return self.asked.controller.partitions[HERE]

    @registration.setter
    def registration(self, _: Any) -> None:
        """The controller alone says how the partition is registered."""

    def replica_of(self, name: str) -> Replica:
        return Replica(
            name,
            HERE,
            self.journals[name],
            alive=self.views[name] if hasattr(self, "views") else {},
            config=self.config,
            now_us=self.now_us,
        )

    def ask_controller(self, body: Any) -> Any:
        self.asked.now_us = self.now_us
        return self.asked.ask(body)

    # --- Brokers -----------------------------------------------------------------------------

    def start(self, name: str) -> Replica:
        self.incarnations[name] += 1
        self.alive[name] = NO_EPOCH_YET
        self.views[name] = {}
        self.read_to[name] = None
        self.up[name] = self.replica_of(name)
        self.register(name)
        return self.up[name]

    def stop(self, name: str, *, clean: bool = False) -> None:
        super().stop(name, clean=clean)
        if name in self.leaving:
            self.leaving.remove(name)

    def lose_power(self, name: str) -> None:
        self.stop(name)
        self.journals[name].lose_power()
        self.dirty.append(name)

    def register(self, name: str) -> None:
        """A new life asks for its epoch, if it has none yet."""
        if self.alive[name] != NO_EPOCH_YET:
            return
        previous = self.left.get(name, -1)
        body = rm.BrokerRegistrationRequest(name, self.incarnations[name], previous)
        answer = self.ask_controller(body)
        if answer.error is Error.NONE:
            self.alive[name] = answer.broker_epoch
            self.left.pop(name, None)
            if name in self.dirty:
                self.dirty.remove(name)

    def beat(self, name: str) -> None:
        epoch = self.alive[name]
        if epoch == NO_EPOCH_YET:
            return
        offset = self.read_to[name] or 0
        shuts_down = name in self.leaving
        body = rm.BrokerHeartbeatRequest(name, epoch, offset, wants_shutdown=shuts_down)
        answer = self.ask_controller(body)
        if answer.should_shut_down:
            self.journals[name].flush()
            self.stop(name, clean=True)
            self.left[name] = epoch

    def read(self, name: str, most: int | None = None) -> None:
        """A broker reads on in the log, a new life first up to the end: then it knows its own."""
        start = self.read_to[name]
        if self.alive[name] == NO_EPOCH_YET:
            return
        if start is None:
            records, most = self.controller.records(), None
        else:
            records = self.controller.records(start)[:most]
        newest = None
        for record in records:
            if isinstance(record, rm.BrokerState):
                view = self.views[name]
                view.pop(record.broker, None)
                if not record.fenced and not record.shutting_down:
                    view[record.broker] = record.epoch
            elif isinstance(record, rm.PartitionRegistration):
                newest = record
                if start is not None:
                    self.tell(name, record)
        if start is None and newest is not None:
            self.tell(name, newest)
        self.read_to[name] = (start or 0) + len(records)

    # --- The controller ------------------------------------------------------------------------

    def alter(self, error: Error | None = None) -> None:
        """The oldest proposal arrives, and is answered."""
        assert error is None
        name, broker_epoch, asked = self.proposals.pop(0)
        told = asked
        if not self.checks_epochs:
            told = asked._replace(new_isr=tuple((one, -1) for one, _ in asked.new_isr))
        answer = self.ask_controller(rm.AlterPartitionRequest(name, broker_epoch, (told,)))
        result = rm.PartitionAltered(HERE, answer.error)
        if answer.error is Error.NONE:
            result = answer.results[0]
        if name in self.up and self.alive[name] == broker_epoch:
            self.carry_out(name, self.up[name].decide_altered(asked, result, self.now_us))

    def expire(self, silent: str) -> None:
        """A broker is not heard of for a session's time; the others are, if they are up."""
        self.now_us += self.asked.settings.session_us + 1
        for name in list(self.up):
            if name != silent:
                self.beat(name)
        self.asked.now_us = self.now_us
        while step := self.asked.fire(SessionCheck()):
            if not step.facts:
                break
            self.fenced += 1
