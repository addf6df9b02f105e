"""Whatever two producers of one transactional id ask, in whatever order, and whenever the
coordinator moves, transactions keep their promises: and one that breaks a promise is caught.
"""

from itertools import pairwise

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from simulator.protocol import transactions
from simulator.protocol.errors import Error
from simulator.protocol.machine import Request
from simulator.protocol.messages import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    EndTxnRequest,
    EndTxnResponse,
    InitProducerIdRequest,
    InitProducerIdResponse,
)
from simulator.protocol.transactions import TransactionCoordinator
from simulator.protocol.transactions_facts import (
    PREPARED,
    MarkersAnswered,
    State,
    TransactionMetadata,
)
from simulator.protocol.transactions_markers import AGAIN
from simulator.protocol.transactions_rules import Change
from tests.transacting import P0, P1, Transacting

NOBODY = (-1, -1)
RESULTS = {State.PREPARE_COMMIT: "commit", State.PREPARE_ABORT: "abort"}


@attrs.define
class Producer:
    """What a producer knows, which may be old. added: what it believes is in its transaction."""

    who: tuple = NOBODY
    added: tuple = ()
    ended: str = ""  # The end that it asked for, and does not know to be done.


class Play:
    """One transactional id, two producers that both think it is theirs, and the promises."""

    def __init__(self, version=2, build=TransactionCoordinator, partitions=(P0, P1)):
        self.log = Transacting(version, at_once=False, build=build)
        self.version, self.partitions = version, partitions
        self.producers = [Producer(), Producer()]
        self.past = []  # (producer, body): any of them may come once more, late.
        self.asked = {}  # Request number -> (producer, body, whether it is the first of its kind).
        self.given = {}  # (producer id, epoch) -> the producer that it was given to.
        self.acknowledged = []  # (producer id, epoch) of the EndTxn, result, what had been added.
        self.read = 0

    def do(self, operation, who, number):
        getattr(self, operation)(self.producers[who], number)
        self.promises()

    # --- What may happen ---

    def init(self, producer, _):
        self.send(producer, InitProducerIdRequest("a", 30_000))

    def bump(self, producer, _):
        self.send(producer, InitProducerIdRequest("a", 30_000, *producer.who))

    def add(self, producer, number):
        where = self.partitions[number % len(self.partitions)]
        self.send(producer, AddPartitionsToTxnRequest("a", *producer.who, (where,)))

    def verify(self, producer, number):
        where = self.partitions[number % len(self.partitions)]
        body = AddPartitionsToTxnRequest("a", *producer.who, (where,), verify_only=True)
        self.send(producer, body)

    def end(self, producer, number):
        """A producer that does not know how it ended asks for the same again."""
        producer.ended = producer.ended or ("commit", "abort")[number % 2]
        self.send(producer, EndTxnRequest("a", *producer.who, producer.ended))

    def late(self, _, number):
        """Something that was asked before arrives once more; nobody waits for the answer."""
        if self.past:
            self.log.sent += 1
            self.log.tell(Request(self.log.sent, self.past[number % len(self.past)]))

    def send(self, producer, body):
        if self.log.machine.producer_ids_left == 0:
            self.log.grant(3)
        self.log.sent += 1
        self.asked[self.log.sent] = producer, body
        self.past.append(body)
        self.log.tell(Request(self.log.sent, body))

    def durable(self, *_):
        self.log.make_durable()

    def markers(self, _, number):
        if self.log.markers:
            only = None if number % 3 else self.log.markers[0].marker.partitions[0]
            self.log.write_markers((Error.NONE, *AGAIN)[number % 5], only=only)

    def wait(self, _, number):
        self.log.wait((100, 10_000, 50_000, 700_000_000)[number % 4])

    def move(self, _, number):
        """Another coordinator is elected; number: what was not durable is lost, or is not."""
        self.asked.clear()
        self.log.start(losing=bool(number % 2))

    # --- What must hold ---

    def promises(self):
        for number, answer in self.log.answers:
            if number in self.asked:
                self.learn(*self.asked.pop(number), answer)
        self.log.answers = []
        assert self.log.replayed() == self.log.machine.hard_state(), "the log tells another story"
        self.decisions_stand()

    def learn(self, producer, body, answer):
        match answer:
            case InitProducerIdResponse(Error.NONE, producer_id, epoch):
                self.is_given(producer, (producer_id, epoch))
                producer.who, producer.added, producer.ended = (producer_id, epoch), (), ""
            case AddPartitionsToTxnResponse(((where, Error.NONE),)):
                if not body.verify_only and (body.producer_id, body.producer_epoch) == producer.who:
                    producer.added = (*producer.added, where)
            case EndTxnResponse(Error.NONE, producer_id, epoch):
                asked = (body.producer_id, body.producer_epoch)
                added = producer.added if asked == producer.who else ()
                self.acknowledged.append((asked, body.result, added))
                if asked == producer.who:
                    producer.added, producer.ended = (), ""
                    if self.version == 2:
                        self.is_given(producer, (producer_id, epoch))
                        producer.who = producer_id, epoch

    def is_given(self, producer, identity):
        """To one producer alone."""
        index = 0 if producer is self.producers[0] else 1
        assert self.given.setdefault(identity, index) == index, f"two producers are {identity}"

    def decisions_stand(self):
        """What is durable of the log: a prepared transaction completes as it was decided."""
        kept = [one for one in self.log.disk[: self.log.durable]
                if isinstance(one, TransactionMetadata)]  # fmt: skip
        self.ends = []
        for before, after in pairwise(kept):
            if before.state in PREPARED:
                assert after.state is PREPARED[before.state][0], "a decision was changed"
                self.ends.append((before, RESULTS[before.state]))
        if kept and kept[-1].state in PREPARED:
            self.ends.append((kept[-1], RESULTS[kept[-1].state]))
        for (producer_id, epoch), result, added in self.acknowledged:
            if self.version == 2:
                told = [(end, one) for end, one in self.ends
                        if (end.producer_id, end.producer_epoch) == (producer_id, epoch + 1)]
                assert [one for _, one in told] == [result], "acknowledged, and not in the log"
                assert set(added) <= set(told[0][0].partitions), "a partition is forgotten"
        for prepared, result in self.ends:
            for where, marker in self.log.written:
                if self.version == 2 and marker[:2] == (
                    prepared.producer_id, prepared.producer_epoch
                ):  # fmt: skip
                    assert marker.result == result, "committed here, aborted there"
                    assert where in prepared.partitions

    def ends_well(self):
        """Nobody asks any more: whatever was open is aborted, whatever was decided is done."""
        for _ in range(12):
            while self.log.make_durable():
                pass
            while self.log.markers:
                self.log.write_markers()
            self.log.wait(20_000)
        self.promises()
        now = self.log.now
        assert now is None or now.state not in (State.ONGOING, *PREPARED), "it never ends"
        for prepared, result in self.ends:
            if self.version == 2:
                identity = prepared.producer_id, prepared.producer_epoch, result
                have = {where for where, marker in self.log.written if marker[:3] == identity}
                assert have == set(prepared.partitions), "a partition has no marker"


WEIGHTED = [*["init"] * 2, "bump", *["add"] * 5, "verify", *["end"] * 4, *["late"] * 2,
            *["durable"] * 12, *["markers"] * 5, *["wait"] * 2, "move"]  # fmt: skip
scripts = st.lists(
    st.tuples(st.sampled_from(WEIGHTED), st.integers(0, 1), st.integers(0, 29)), max_size=60
)


def soon(*operations):
    """Each operation, durable at once."""
    return [one for operation in operations for one in (operation, ("durable", 0, 0))]


BEGUN = soon(("init", 0, 0), ("add", 0, 0), ("add", 0, 1))
COMMITTED = [*BEGUN, *soon(("end", 0, 0), ("markers", 0, 10))]


def play(script, **more):
    game = Play(**more)
    for operation, who, number in script:
        game.do(operation, who, number)
    return game


@given(scripts, st.sampled_from([1, 2]))
@example([*COMMITTED, *soon(("add", 0, 0), ("late", 0, 3))], 2)
@example([*BEGUN, *soon(("init", 1, 0)), ("markers", 0, 0), *soon(("init", 1, 0))], 2)
@example([*BEGUN, ("end", 0, 0), ("move", 0, 0), ("end", 0, 0), ("durable", 0, 0)], 2)
@example([*BEGUN, ("end", 0, 0), ("move", 0, 1), *soon(("end", 0, 0))], 2)
def test_transactions_keep_their_promises(script, version):
    play(script, version=version).ends_well()


@given(
    st.permutations([(operation, who) for who in (0, 1) for operation in ("add", "end")]),
    st.sampled_from([1, 2]),
    st.booleans(),
)
def test_of_two_producers_that_share_an_id_at_most_one_commits(order, version, at_once):
    """Both are initialized, then each adds a partition and commits, in any order."""
    game = Play(version)
    for who in (0, 1):
        game.do("init", who, 0)
        game.do("durable", 0, 0)
    for operation, who in order:
        game.do(operation, who, 0)
        if at_once:
            game.do("durable", 0, 0)
    game.ends_well()

    assert len(game.acknowledged) <= 1
    assert all(game.given[identity] == 1 for identity, *_ in game.acknowledged)


def test_the_scripts_reach_what_they_are_to_test():
    """A commit, an abort by timeout, and a commit that only the next coordinator completes."""
    game = play([*COMMITTED, *soon(("add", 0, 0)), ("wait", 0, 2), ("durable", 0, 0),
                 ("markers", 0, 10), ("durable", 0, 0),
                 *soon(("init", 1, 0), ("add", 1, 1), ("end", 1, 0)), ("move", 0, 0),
                 *soon(("markers", 0, 10))])  # fmt: skip

    assert [result for _, result in game.ends] == ["commit", "abort", "commit"]
    assert [(result, game.given[who]) for who, result, _ in game.acknowledged] == [
        ("commit", 0), ("commit", 1)]  # fmt: skip


# --- What one version cannot, and the other can --------------------------------------------------

LATE_END = [*COMMITTED, *soon(("add", 0, 0)), *soon(("late", 0, 3))]


@pytest.mark.parametrize(("version", "state"), [(1, State.PREPARE_COMMIT), (2, State.ONGOING)])
def test_a_late_end_ends_the_next_transaction_under_version_1_only(version, state):
    """KAFKA-17754: half of a transaction is committed, though its producer never said so."""
    game = play(LATE_END, version=version)

    assert game.log.now.state is state
    assert game.log.now.partitions == (P0,)
    assert len(game.acknowledged) == 1


# --- Planted bugs --------------------------------------------------------------------------------


def test_a_coordinator_that_does_not_write_its_decision_down_is_caught(monkeypatch):
    monkeypatch.setattr(
        "tests.transacting.is_hard",
        lambda fact: isinstance(fact, TransactionMetadata) and fact.state not in PREPARED,
    )
    with pytest.raises(AssertionError, match="another story"):
        play(COMMITTED)


def test_a_coordinator_that_believes_a_fenced_producer_is_caught(monkeypatch):
    """It ends what its successor has open, and is told that it was its own."""
    believed = transactions.end_2

    def end(decision, entry, body):
        epoch = -1 if entry is None else entry.current.producer_epoch
        return believed(decision, entry, body._replace(producer_epoch=epoch))

    monkeypatch.setattr(transactions, "end_2", end)
    with pytest.raises(AssertionError, match=r"acknowledged|two producers"):
        play([*soon(("init", 0, 0), ("init", 1, 0), ("add", 1, 0), ("end", 0, 0))])


def test_a_coordinator_that_gives_an_epoch_twice_is_caught(monkeypatch):
    given_out = transactions.init_producer_id

    def init(decision, entry, body):
        outcome = given_out(decision, entry, body)
        if isinstance(outcome, Change) and entry is not None:
            same = attrs.evolve(outcome.record, producer_epoch=entry.current.producer_epoch)
            return outcome._replace(record=same)
        return outcome

    monkeypatch.setattr(transactions, "init_producer_id", init)
    with pytest.raises(AssertionError, match="two producers"):
        play(soon(("init", 0, 0), ("init", 1, 0)))


class ForgetsMarkers(TransactionCoordinator):
    """A planted bug: whoever takes over does not look for what was decided."""

    def recover(self, now_us):
        step = super().recover(now_us)
        return step._replace(effects=())


class BelievesAnyAnswer(TransactionCoordinator):
    """A planted bug: a marker that was not written counts."""

    def decide(self, message, now_us):
        if isinstance(message, MarkersAnswered):
            results = tuple((where, Error.NONE) for where, _ in message.results)
            message = attrs.evolve(message, results=results)
        return super().decide(message, now_us)


DECIDED = [*BEGUN, *soon(("end", 0, 0))]


@pytest.mark.parametrize(
    ("build", "script", "found"),
    [
        (ForgetsMarkers, [*DECIDED, ("move", 0, 0)], "it never ends"),
        (BelievesAnyAnswer, [*DECIDED, *soon(("markers", 0, 1))], "has no marker"),
    ],
)
def test_a_coordinator_that_leaves_partitions_without_marker_is_caught(build, script, found):
    play(script).ends_well()
    with pytest.raises(AssertionError, match=found):
        play(script, build=build).ends_well()


def test_a_coordinator_that_aborts_what_it_decided_to_commit_is_caught(monkeypatch):
    """The timeout looks at prepared transactions too."""

    def overdue(entry, now_us):
        current = entry.current
        return entry.logged is None and current.start_us >= 0 and now_us - current.start_us > 1

    monkeypatch.setattr(transactions, "timed_out", overdue)
    with pytest.raises(AssertionError, match="no such transition"):
        play([*DECIDED, ("wait", 0, 2), ("durable", 0, 0)])


def test_a_coordinator_that_forgets_a_partition_is_caught(monkeypatch):
    """What is added takes the place of what was."""
    added = transactions.add_partitions

    def add(decision, entry, identity, partitions):
        outcome = added(decision, entry, identity, partitions)
        if isinstance(outcome, Change):
            return outcome._replace(record=attrs.evolve(outcome.record, partitions=partitions))
        return outcome

    monkeypatch.setattr(transactions, "add_partitions", add)
    with pytest.raises(AssertionError, match="a partition is forgotten"):
        play(COMMITTED)
