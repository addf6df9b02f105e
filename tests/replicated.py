"""Replicas of one partition driven by hand: every message is passed on, or not, by the test.

The controller here is as small as can be: it says what it is told to say, and takes a proposal
of an in-sync set if it is of the incarnation, leader and partition epoch that it knows.
"""

from typing import Any

from simulator.protocol import replica_messages as rm
from simulator.protocol.errors import Error
from simulator.protocol.journal import Journal
from simulator.protocol.log import Truncated
from simulator.protocol.machine import Send, Step
from simulator.protocol.messages import FetchPartition
from simulator.protocol.names import MICROS_PER_MS, TopicPartition
from simulator.protocol.records import Batch, Record
from simulator.protocol.replication import Replica
from simulator.protocol.replication_facts import (
    HIGH_WATERMARK,
    IsrCommitted,
    LeadershipTaken,
    ReplicationConfig,
    Role,
)

HERE = TopicPartition("orders", 0)
OUT_OF_RANGE = (Role.SEEKING_END, Role.SEEKING_START)


def batch_of(*values: str) -> Batch:
    return Batch(tuple(Record("k", value, value) for value in values))


class Replicated:
    """Brokers by name, each with a disk, and a replica while it is up."""

    def __init__(
        self,
        names: str | list[str] = "abc",
        isr: str | list[str] | None = None,
        leader: str | None = None,
        leader_epoch: int = 0,
        *,
        config: ReplicationConfig | None = None,
        alters: bool = True,
    ) -> None:
        self.config = config or ReplicationConfig()
        self.names = list(names)
        self.alters = alters  # The controller answers a proposal at once.
        self.now_us = self.sent = 0
        self.alive = dict.fromkeys(self.names, 0)  # Broker epochs: one more with every start.
        self.journals = {name: Journal(name) for name in self.names}
        self.up: dict[str, Replica] = {}
        self.proposals: list[tuple[str, int, rm.AlterPartition]] = []
        self.registration = rm.PartitionRegistration(
            HERE,
            self.names[0] if leader is None else leader,
            leader_epoch,
            0,
            tuple(self.names),
            tuple(self.names if isr is None else isr),
        )

    def begin(self) -> "Replicated":
        """Start every broker; each is told who leads, the leader first."""
        for name in sorted(self.names, key=lambda name: name != self.registration.leader):
            self.start(name)
        return self

    # --- Brokers -------------------------------------------------------------------------------

    def seed(self, name: str, epochs: list[int]) -> None:
        """Put a batch of one record for each leader epoch on a disk, before its broker starts."""
        replica = self.replica_of(name)
        for at, epoch in enumerate(epochs):
            batch = batch_of(f"e{epoch}-{at}")
            replica.apply(batch._replace(base_offset=at, leader_epoch=epoch))

    def replica_of(self, name: str) -> Replica:
        """A replica from what is on the disk, told nothing yet."""
        journal, now_us = self.journals[name], self.now_us
        return Replica(name, HERE, journal, alive=self.alive, config=self.config, now_us=now_us)

    def start(self, name: str) -> Replica:
        self.alive[name] += 1
        self.up[name] = self.replica_of(name)
        self.tell(name)
        return self.up[name]

    def stop(self, name: str, *, clean: bool = False) -> None:
        replica = self.up.pop(name)
        if clean:
            replica.close()

    def restart(self, name: str, lose_from: int | None = None, mark: int | None = None) -> Any:
        """Start a broker whose disk has lost what lies from an offset on; where its log ends now.

        mark: the high watermark that its checkpoint holds, if it is another than was kept.
        """
        journal = self.journals[name]
        if lose_from is not None:
            keep = sum(1 for batch in journal.facts if batch.next_offset <= lose_from)
            journal.flushed = min(journal.flushed, keep)
            journal.lose_power(keep - journal.flushed)
        if mark is not None:
            self.checkpoint(name, mark)
        self.start(name)
        return self.ends(name)

    def checkpoint(self, name: str, high_watermark: int) -> None:
        self.journals[name].checkpoints[HIGH_WATERMARK] = high_watermark

    # --- The controller --------------------------------------------------------------------------

    def tell(self, name: str, registration: rm.PartitionRegistration | None = None) -> None:
        """Tell a broker how the partition is registered, now or (`registration`) then."""
        replica = self.up[name]
        told = registration or self.registration
        step = replica.decide_registration(told, self.now_us)
        assert step == replica.decide_registration(told, self.now_us)
        self.carry_out(name, step)

    def elect(
        self, leader: str, isr: list[str] | None = None, tell: list[str] | None = None
    ) -> None:
        """Make `leader` lead, and tell those in `tell` (all who are up), the leader first."""
        known = self.registration
        self.registration = known._replace(
            leader=leader,
            leader_epoch=known.leader_epoch + 1,
            partition_epoch=known.partition_epoch + 1,
            isr=known.isr if isr is None else tuple(isr),
        )
        names = list(self.up) if tell is None else tell
        for name in sorted(names, key=lambda name: name != leader):
            self.tell(name)

    def alter(self, error: Error | None = None) -> None:
        """Answer the oldest proposal: take it, or refuse it with `error`."""
        name, broker_epoch, asked = self.proposals.pop(0)
        known = self.registration
        if error is None and broker_epoch != self.alive[name]:
            error = Error.STALE_BROKER_EPOCH
        if error is None and (asked.leader_epoch, name) != (known.leader_epoch, known.leader):
            error = Error.FENCED_LEADER_EPOCH
        if error is None and asked.partition_epoch != known.partition_epoch:
            error = Error.INVALID_UPDATE_VERSION
        if error is None and any(
            epoch not in (-1, self.alive[one]) for one, epoch in asked.new_isr
        ):
            error = Error.INELIGIBLE_REPLICA
        answer = rm.PartitionAltered(HERE, error or Error.NONE)
        if error is None:
            isr = tuple(sorted(one for one, _ in asked.new_isr))
            epoch = known.partition_epoch + 1
            self.registration = known._replace(isr=isr, partition_epoch=epoch)
            answer = answer._replace(
                leader=known.leader,
                leader_epoch=known.leader_epoch,
                partition_epoch=epoch,
                isr=isr,
            )
        if name in self.up:
            self.carry_out(name, self.up[name].decide_altered(asked, answer, self.now_us))

    # --- Clients ---------------------------------------------------------------------------------

    def produce(self, name: str, *values: str, acks: int = -1) -> Any:
        """Append one batch to a broker's replica; the answer, before any wait for others."""
        replica = self.up[name]
        fact, answer = replica.decide_append(batch_of(*values), self.now_us, acks)
        if fact is not None:
            replica.apply(fact)
        return answer

    def produce_next(self, name: str, count: int, acks: int = -1) -> Any:
        """Append a batch of the values v1, v2 ... that come next."""
        values = [f"v{self.sent + at}" for at in range(1, count + 1)]
        answer = self.produce(name, *values, acks=acks)
        self.sent += 0 if answer.base_offset < 0 else count
        return answer

    def consume(self, name: str) -> list[tuple[int, str]]:
        """(offset, value) of what a consumer reads from a broker, all of it."""
        read = self.up[name].read(FetchPartition(HERE, 0, 1 << 30))
        return [entry[::2] for batch in read.batches for entry in entries_of(batch)]

    # --- Followers -------------------------------------------------------------------------------

    def ask(self, name: str, most: int = 1 << 20) -> Any:
        """What a follower asks next; what it cuts before is cut."""
        replica = self.up[name]
        facts, ask = replica.decide_ask()
        assert (facts, ask) == replica.decide_ask()
        for fact in facts:
            replica.apply(fact)
        if isinstance(ask, FetchPartition):
            ask = ask._replace(max_bytes=most)
        return ask

    def serve(self, ask: Any, follower: str, leader: str, broker_epoch: int | None = None) -> Any:
        """The leader's answer; an empty one is given once its time is up. None: it is down."""
        replica = self.up.get(leader)
        if replica is None:
            return None
        match ask:
            case FetchPartition():
                if broker_epoch is None:
                    broker_epoch = self.alive[follower]
                answer, step = replica.decide_fetch(ask, follower, self.now_us, broker_epoch)
                again = replica.decide_fetch(ask, follower, self.now_us, broker_epoch)
                assert (answer, step) == again, "deciding changed something"
                self.carry_out(leader, step)
                return replica.reread(ask, follower) if answer.is_empty else answer
            case rm.EpochAsked():
                return replica.epoch_end(ask)
        return replica.bound(ask)

    def answer(self, name: str, ask: Any, answer: Any, source: str) -> Step:
        """Let a follower take an answer."""
        replica = self.up[name]
        step = replica.decide_answer(ask, answer, source)
        assert step == replica.decide_answer(ask, answer, source)
        self.carry_out(name, step)
        return step

    def fetch(self, name: str, most: int = 1 << 20) -> dict[str, Any]:
        """One whole fetch of a follower, with all that it asks before; what was said, and done."""
        replica = self.up[name]
        told: dict[str, Any] = {}
        cuts: list[int] = []
        while not told or replica.role in OUT_OF_RANGE:
            facts = replica.decide_ask()[0]
            ask, source = self.ask(name, most), replica.following.leader
            assert ask is not None, f"{name} does not follow: {replica.role}"
            answer = self.serve(ask, name, source)
            step = self.answer(name, ask, answer, source)
            cuts += [one.offset for one in (*facts, *step.facts) if isinstance(one, Truncated)]
            if isinstance(ask, FetchPartition):
                told = said_in(ask, answer)
        return told | ({"truncated_to": cuts} if cuts else {}) | self.ends(name)

    def ends(self, name: str) -> dict[str, int]:
        """Where a broker's log ends, and its high watermark."""
        return {"leo": self.up[name].log_end_offset, "hw": self.up[name].high_watermark}

    def seen(self) -> dict[str, Any]:
        """What the leader knows of the in-sync set, and all that stands in the logs."""
        leading = self.up[self.registration.leader].leading
        assert leading is not None
        return {
            "leader": self.registration.leader,
            "leader_epoch": self.registration.leader_epoch,
            "isr": list(leading.isr),
            "maximal_isr": list(leading.maximal_isr),
            "pending": leading.pending is not None,
            "brokers": {str(name): self.seen_at(name) for name in self.names},
        }

    def seen_at(self, name: str) -> dict[str, Any]:
        """What stands in a broker's log, if it is up."""
        if name not in self.up:
            return {"up": False}
        replica = self.up[name]
        epochs = [list(entry) for entry in replica.epochs.entries]
        log = [list(entry) for entry in log_of(replica)]
        return self.ends(name) | {"epochs": epochs, "log": log}

    def epoch_end(self, name: str, epoch: int) -> dict[str, int]:
        """Where an epoch ends in a broker's log."""
        replica = self.up[name]
        known, end = replica.epochs.end_offset_for(epoch, replica.log_end_offset)
        return {"epoch": known, "end_offset": end}

    def shrink(self, name: str) -> None:
        self.carry_out(name, self.up[name].decide_shrink(self.now_us))

    def wait(self, ms: int) -> None:
        self.now_us += ms * MICROS_PER_MS

    def carry_out(self, name: str, step: Step) -> None:
        """Apply a step's facts; the mark of a leader never falls."""
        replica = self.up[name]
        for fact in step.facts:
            before = replica.high_watermark, replica.role
            replica.apply(fact)
            if Role.LEADING in before and isinstance(fact, LeadershipTaken | IsrCommitted):
                assert replica.high_watermark >= before[0]
        for effect in step.effects:
            if isinstance(effect, Send):
                _, epoch, asked = effect.body
                self.proposals += [(name, epoch, one) for one in asked]
                if self.alters:
                    self.alter()


def said_in(ask: FetchPartition, answer: Any) -> dict[str, Any]:
    """What a follower and its leader said to each other in a fetch."""
    epoch = None if ask.last_fetched_epoch < 0 else ask.last_fetched_epoch
    said: dict[str, Any] = {"fetch_offset": ask.offset, "last_fetched_epoch": epoch}
    if answer is None or answer.error is not Error.NONE:
        return said | {"error": answer and answer.error.name}
    if answer.diverging_end_offset >= 0:
        said["diverging_epoch"] = answer.diverging_epoch
        said["diverging_end_offset"] = answer.diverging_end_offset
    return said | {"response_hw": answer.high_watermark}


def entries_of(batch: Batch) -> list[tuple[int, int, str]]:
    """(offset, leader epoch, value) of each record."""
    return [
        (batch.base_offset + at, batch.leader_epoch, str(record.value))
        for at, record in enumerate(batch.records)
    ]


def log_of(replica: Replica, until: int | None = None) -> list[tuple[int, int, str]]:
    """(offset, leader epoch, value) of everything in a replica's log, below `until`."""
    entries = [entry for batch in replica.log.journal.facts for entry in entries_of(batch)]
    return entries if until is None else [entry for entry in entries if entry[0] < until]
