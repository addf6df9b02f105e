"""Retries and dead letters: where a record that fails ends, how often it is tried (R01 to R13)."""

from typing import Any

from hypothesis import strategies as st

from models.groups.promises import never_rebalanced
from models.patterns.retrying import dead_letters as dead
from models.patterns.retrying import redrive
from models.patterns.retrying.dead_letters import fire_and_forget, ignoring_failure, log_and_skip
from models.patterns.retrying.letter_promises import (
    as_without_trouble,
    behind_what_is_parked,
    in_one_place,
    loops_at_most,
)
from models.patterns.retrying.parking import one_by_one
from models.patterns.retrying.redelivered import counted_by_broker, counted_by_instance
from models.patterns.retrying.redrive import handling_letters
from models.patterns.retrying.retries import in_memory, persisted
from models.patterns.retrying.retry_promises import conserved, not_before_due, tried_at_most
from models.patterns.retrying.retry_setups import (
    RETRY,
    elsewhere,
    in_place,
    parked,
    redriven,
    shared,
    sought,
)
from models.patterns.retrying.seeking import last_told, of_the_last
from models.patterns.retrying.troubled import BROKER, SESSION, troubled
from models.patterns.retrying.troubles import (
    DEAD,
    GROUP,
    LEDGER,
    TOPIC,
    Rejected,
    Troubles,
    Unavailable,
    added_up,
    changes,
    newer,
)
from models.patterns.retrying.waiting_promises import only_its_partition_waits, others_go_on
from simulator import (
    NOT_TRIED,
    Backoff,
    Cluster,
    ConsumerRecord,
    Crash,
    DecorrelatedJitter,
    EqualJitter,
    Exponential,
    FaultPlan,
    Fixed,
    FullJitter,
    Scenario,
    Serving,
    Wait,
)
from simulator.checks.share import share_delivered_at_most
from simulator.protocol import backoff_presets as presets
from simulator.protocol.backoff_laws import AddedJitter, KafkaClient, Linear, MassTransitExponential
from simulator.testing.drawing import below
from tests.laws.law import ANYTHING, Law, Right, Rule, Twin

CRASHES, BILLING = ("crash",), "crash@billing-*"
BAD = "k0/1"
REJECTED = Troubles(rejects=(BAD,))
POISONED = Troubles(kills=(BAD,))
QUICK = presets.spring_fixed(100, 2, exhausted="dlt")  # Three attempts, 100 ms apart.
TOPICS = presets.retryable_topic(3, 100)
COUNTED_BY_BROKER = troubled(
    shared(counted_by_broker), Troubles(fails={BAD: 9}),
    more={"broker": {**BROKER, "group.share.delivery.count.limit": 3}},
)  # fmt: skip
ONE_RETRY = Backoff(law=Fixed(100), max_retries=1)
SLOW = presets.spring_fixed(5_000, 2, exhausted="dlt")
RESTART = Crash(f"{GROUP}-0", at_ms=1_500)
BOTH = Troubles(rejects=("k0/1", "k3/1"))
EACH_OWN: dict[str, Any] = {"partitions": 2, "items": changes(("k0", "k3"), 2, every_ms=1)}
# Lost and late answers make letters twice, and so attempts: only the orders come late.
LATE_ORDERS = ("delay@order-service>*", "delay@broker-0>order-service/*")


def _swallowed(policy: Backoff, giving_up: Any, **more: Any) -> Scenario:
    return troubled(in_place(policy, giving_up), REJECTED, **more)


R01 = Law(
    "R01",
    "A record that is passed had its effect, or lies in another topic, or is parked.",
    conserved(),
    "noted/failed",
    right={
        "blocking, letter awaited": troubled(in_place(QUICK), REJECTED),
        "retry topic": troubled(elsewhere(TOPICS), REJECTED, topics=(DEAD, RETRY)),
        "parking": troubled(parked(until_ms=4_000), REJECTED),
        "seeking from the lowest": troubled(
            sought(2), Troubles(fails={"k0/1": 1, "k0/2": 1}), items=changes(1, 2, every_ms=0)
        ),
        "connect, tolerance all with dead letters": Right(
            troubled(in_place(presets.kafka_connect(tolerance="all")), REJECTED),
            classes=CRASHES, sites=BILLING,
        ),
        "letter awaited before the commit": Right(
            troubled(in_place(ONE_RETRY), REJECTED), classes=CRASHES, sites=BILLING
        ),
        "blocking: in one place only": Right(
            troubled(in_place(QUICK), REJECTED), in_one_place, "in_one_place", CRASHES, BILLING
        ),
        "retry topic: in one place only": Right(
            troubled(elsewhere(TOPICS), REJECTED, topics=(DEAD, RETRY)), in_one_place,
            "in_one_place", CRASHES, BILLING,
        ),
    },
    twins={
        "log and skip": Twin(_swallowed(QUICK, log_and_skip), 0),
        "connect, tolerance all without dead letters": Twin(
            _swallowed(presets.kafka_connect(tolerance="all"), log_and_skip), 0
        ),
        "commit before the letter is there": Twin(
            _swallowed(ONE_RETRY, fire_and_forget(DEAD, GROUP)), 1,
            sites="crash@billing-0/after_commit", check=conserved(always=False),
        ),
        "letter's failure ignored": Twin(
            _swallowed(ONE_RETRY, ignoring_failure(DEAD, GROUP), topics=()), 0
        ),
        "seeking from the last that is told": Twin(
            troubled(
                sought(2, seeks=last_told),
                Troubles(fails={"k0/1": 1, "k0/2": 1}), items=changes(1, 2, every_ms=0),
            ), 0,
        ),
    },
    classes=ANYTHING,
    timed=True,
    runs=20,
    aside=(
        "Where the answer of a store is lost a record may have had its effect and become a letter "
        "as well: that it is in one place only is judged where handlers crash, and no more."
    ),
)  # fmt: skip
R02 = Law(
    "R02",
    "A record is tried so often at most, restarts and other owners included.",
    tried_at_most(3),
    "noted/attempted",
    right={
        "counted in a store, and poison": Right(
            troubled(in_place(QUICK, counting=persisted(LEDGER)), POISONED),
            situation="node_crashed", classes=ANYTHING, sites="*",
        ),
        "counted in a store, and a crash": Right(
            troubled(in_place(QUICK, counting=persisted(LEDGER)), REJECTED),
            situation="node_crashed", classes=ANYTHING, sites="*",
        ),
        "counted by the broker": COUNTED_BY_BROKER,
        "counted by the broker, as far as it had written": Right(
            COUNTED_BY_BROKER, share_delivered_at_most(3), "node_crashed", sites="*"
        ),
        "each record's failures, in memory: nobody crashes": Right(
            troubled(sought(3), BOTH, **EACH_OWN), classes=()
        ),
    },
    twins={
        "counted in memory, and poison": Twin(
            troubled(in_place(QUICK, counting=in_memory), POISONED), 0
        ),
        "counted in memory, and a crash": Twin(troubled(in_place(QUICK), REJECTED), 1),
        "counted by each of two instances": Twin(
            troubled(shared(counted_by_instance(3)), REJECTED), 0
        ),
        "failures of the last record only": Twin(
            troubled(
                sought(3, tracking=of_the_last, until_ms=6_000), BOTH, **EACH_OWN
            ), 0,
        ),
        "counted by the broker, and it dies": Twin(
            COUNTED_BY_BROKER, 1, sites="crash@broker-0/after_append"
        ),
    },
    sites="crash@billing*",
    aside=(
        "A share group's count is written with what becomes of a delivery, not with the delivery: "
        'if the leader dies, "memory of the in-flight delivery will be lost" (KIP-932). Each death '
        "may cost one more attempt; none costs more, and a crash of those who handle costs none."
    ),
)  # fmt: skip
R03 = Law(
    "R03",
    "No attempt begins before its delay after the last failure is over.",
    not_before_due(lambda _: 100_000),
    "noted/failed",
    right={
        "blocking": troubled(in_place(QUICK), REJECTED),
        "one retry topic": troubled(elsewhere(TOPICS), REJECTED, topics=(DEAD, RETRY)),
        "a topic a delay": troubled(
            elsewhere(TOPICS, ("retry-0", "retry-1")), REJECTED,
            topics=(DEAD, "retry-0", "retry-1"),
        ),
    },
    twins={
        "a retry topic nobody waits for": Twin(
            troubled(elsewhere(TOPICS, waits=False), REJECTED, topics=(DEAD, RETRY)), 0
        ),
        "blocking, over a restart": Twin(
            troubled(in_place(SLOW), REJECTED, more={"faults": FaultPlan((RESTART,))}), 0,
            check=not_before_due(lambda _: 5_000_000),
        ),
    },
    classes=("delay",),
    sites=LATE_ORDERS,
)  # fmt: skip


# --- Delays: pure rules ----------------------------------------------------------------------


def _delays_ms(policy: Backoff, count: int) -> list[int]:
    progress, found = NOT_TRIED, []
    for _ in range(count):
        step = policy.after_failure(progress)
        assert isinstance(step, Wait)
        progress = step.progress
        found.append(step.delay_us // 1_000)
    return found


def _cut_each_step(base_ms: int, retry: int, cap_ms: int, percent: int) -> int:
    delay_ms = base_ms
    for _ in range(retry):
        delay_ms = min(cap_ms, delay_ms * percent // 100)
    return min(delay_ms, cap_ms)


def _fixed(base: int, _: int) -> Backoff:
    return Backoff(law=Fixed(base))


def _linear(base: int, cap: int) -> Backoff:
    return Backoff(law=Linear(base, base, cap))


def _doubled(base: int, cap: int) -> Backoff:
    return Backoff(law=Exponential(base, 2, cap))


def _half_more(base: int, cap: int) -> Backoff:
    return Backoff(law=Exponential(base, 1.5, cap))


def _between(low: int, high: int) -> st.SearchStrategy[int]:
    return below(high - low + 1).map(lambda above: low + above)


def _follows_formula(variant: Any, case: tuple[int, int, int]) -> bool:
    make, formula = variant
    base_ms, cap_ms, count = case
    wanted = [formula(base_ms, retry, cap_ms) for retry in range(count)]
    return _delays_ms(make(base_ms, cap_ms), count) == wanted


def _exponential_ms(base_ms: int, retry: int, cap_ms: int) -> int:
    return min(cap_ms, base_ms * 2**retry)


R04 = Rule(
    "R04",
    "The delays of a policy are those of its formula.",
    st.tuples(_between(1, 5_000), _between(5_000, 60_000), st.integers(1, 8)),
    _follows_formula,
    right={
        "fixed": (_fixed, lambda base, _, __: base),
        "linear": (_linear, lambda base, retry, cap: min(cap, base * (retry + 1))),
        "exponential": (_doubled, _exponential_ms),
        "half as much again, cut at each step": (
            _half_more, lambda base, retry, cap: _cut_each_step(base, retry, cap, 150)
        ),
        "kafka connect": (
            lambda _, cap: presets.kafka_connect(retry_timeout_ms=-1, delay_max_ms=2 * cap),
            lambda _, retry, cap: 300 * 2**retry if 300 * 2**retry <= 2 * cap else 0,
        ),
    },
    twins={
        "the lecture's loop, for the exponential of its text": (
            lambda base, _: Backoff(law=Linear(base, base)), _exponential_ms
        ),
        "counted from the second": (
            lambda base, cap: Backoff(law=Exponential(2 * base, 2, cap)), _exponential_ms
        ),
        "cut once, at the end": (
            _half_more, lambda base, retry, cap: min(cap, base * 3**retry // 2**retry)
        ),
    },
    situation=lambda case: case[2] > 1,
)  # fmt: skip


DRAWN = below(1_000).map(lambda thousandths: thousandths / 1_000)


def _within(variant: Any, case: tuple[int, int, list[tuple[float, float]]]) -> bool:
    """The law's delay lies between the two bounds; the delay before it is the law's own."""
    make, least, most = variant
    base, cap, draws = case
    law, previous = make(base, cap), None
    for retry, (u, v) in enumerate(draws):
        delay = law.delay(retry, previous, u, v)
        if not least(base, cap, retry, previous) <= delay <= most(base, cap, retry, previous):
            return False
        previous = delay
    return True


def _steps(base: int, cap: int) -> Exponential:
    return Exponential(base, 2, cap, whole=False)


def _step(base: int, cap: int, retry: int, _: Any = None) -> int:
    return min(cap, base * 2**retry)


def _masstransit(base: int, cap: int) -> MassTransitExponential:
    return MassTransitExponential(base, cap, base)


R05 = Rule(
    "R05",
    "A delay with jitter lies in its policy's interval.",
    st.tuples(
        _between(1, 1_000), _between(2_000, 60_000),
        st.lists(st.tuples(DRAWN, DRAWN), min_size=1, max_size=8),
    ),
    _within,
    right={
        "full: from 0": (
            lambda base, cap: FullJitter(_steps(base, cap)), lambda *_: 0, _step
        ),
        "equal: from a half": (
            lambda base, cap: EqualJitter(_steps(base, cap)),
            lambda *case: _step(*case) / 2, _step,
        ),
        "decorrelated: from the base to the cap": (
            DecorrelatedJitter, lambda base, *_: base, lambda _, cap, *__: cap
        ),
        "decorrelated: up to three times the last": (
            DecorrelatedJitter, lambda base, *_: base,
            lambda base, _, __, last: 3 * (last or base),
        ),
        "kafka's clients: a fifth more or less, below the cap": (
            lambda base, cap: KafkaClient(base, cap, 2, 0.2),
            lambda *case: int(0.8 * _step(*case)),
            lambda base, cap, retry, _: min(cap, 1.2 * _step(base, cap, retry)),
        ),
        "masstransit: a quarter above its maximum": (
            _masstransit, lambda base, *_: 0.75 * base, lambda _, cap, *__: 1.25 * cap
        ),
    },
    twins={
        "full, believed to wait": (
            lambda base, cap: FullJitter(_steps(base, cap)), lambda *_: 1, _step
        ),
        "decorrelated, believed to grow": (
            DecorrelatedJitter, lambda _, __, ___, last: last or 0, lambda _, cap, *__: cap
        ),
        "masstransit, believed to keep its maximum": (
            _masstransit, lambda *_: 0, lambda _, cap, *__: cap
        ),
        "a jitter added behind the cap": (
            lambda base, cap: AddedJitter(_steps(base, cap), base), lambda *_: 0,
            lambda _, cap, *__: cap,
        ),
    },
    situation=lambda case: len(case[2]) > 1,
)  # fmt: skip

# --- What waits, and what goes on ---------------------------------------------------------------

HOURS = {"session.timeout.ms": 45_000, "heartbeat.interval.ms": 15_000}
R06 = Law(
    "R06",
    "All delays of a record together are shorter than its consumer may be away from poll.",
    never_rebalanced,
    "noted/failed",
    right={
        "10 retries of 20 s": troubled(
            in_place(presets.spring_fixed(20_000, 10, exhausted="dlt"), settings=HOURS), REJECTED
        ),
        "10 retries of 30 s, elsewhere": troubled(
            elsewhere(presets.retryable_topic(11, 30_000), until_ms=400_000, settings=HOURS),
            REJECTED, topics=(DEAD, RETRY), more={"heal_after_ms": 2_000},
        ),
    },
    twins={
        "10 retries of 30 s": Twin(
            troubled(
                in_place(presets.spring_fixed(30_000, 10, exhausted="dlt"), settings=HOURS),
                REJECTED, more={"heal_after_ms": 2_000, "horizon_ms": 350_000},
            ), 0,
        ),
    },
    classes=("delay",),
    sites=LATE_ORDERS,
    runs=6,
)  # fmt: skip
R07 = Law(
    "R07",
    "A record that fails delays what lies behind it in its partition, and no other partition.",
    only_its_partition_waits(BAD),
    "noted/failed",
    right={
        "blocking, a member a partition": troubled(
            in_place(QUICK, instances=2), REJECTED, **EACH_OWN
        ),
    },
    twins={
        "retry topic": Twin(
            troubled(
                elsewhere(TOPICS, instances=2), REJECTED, topics=(DEAD, RETRY), **EACH_OWN
            ), 0,
        ),
        "blocking, one member for both": Twin(troubled(in_place(QUICK), REJECTED, **EACH_OWN), 0),
    },
    classes=("tie",),
)  # fmt: skip
R08 = Law(
    "R08",
    "One record that always fails keeps no other key from its effect.",
    others_go_on(("k0/1", "k0/2")),
    "noted/failed",
    right={
        "dead letters": troubled(in_place(QUICK), REJECTED, items=changes(2, 2)),
        "retry topic": troubled(
            elsewhere(TOPICS), REJECTED, topics=(DEAD, RETRY), items=changes(2, 2)
        ),
        "parking": troubled(parked(until_ms=4_000), REJECTED, items=changes(2, 2)),
    },
    twins={
        "retried for ever": Twin(
            troubled(
                in_place(presets.for_ever(500)), REJECTED, items=changes(2, 2),
                more={"horizon_ms": 5_000},
            ), 0,
        ),
    },
    sites="crash@billing-*",
)  # fmt: skip

# --- Dead letters -----------------------------------------------------------------------------

MENDED = Troubles(rejects=(BAD,), mended_ms=2_500)
R09 = Law(
    "R09",
    "No later record of a key takes effect before one that is parked.",
    behind_what_is_parked,
    "noted/parked",
    right={"sequences parked": troubled(parked(), MENDED, items=changes(1, 3))},
    twins={
        "plain dead letters": Twin(troubled(in_place(QUICK), MENDED, items=changes(1, 3)), 0),
        "each record parked alone": Twin(
            troubled(parked(sequence_of=one_by_one), MENDED, items=changes(1, 3)), 0
        ),
        "retry topic": Twin(
            troubled(elsewhere(TOPICS), Troubles(fails={BAD: 1}), topics=(DEAD, RETRY)), 0
        ),
    },
    classes=("crash", "drop", "delay"),
)  # fmt: skip
AGAIN = redriven(in_place(ONE_RETRY))
R10 = Law(
    "R10",
    "Once the trouble is over, to handle all dead letters leads where no trouble had led.",
    as_without_trouble,
    "noted/failed",
    right={
        "sequences parked": Right(troubled(parked(), MENDED), classes=CRASHES, sites=BILLING),
        "redriven, newer versions only": Right(
            troubled(AGAIN, MENDED, effect=newer), classes=CRASHES, sites=BILLING
        ),
        "redriven, added up": troubled(AGAIN, MENDED, effect=added_up),
    },
    twins={"redriven, overwritten": Twin(troubled(AGAIN, MENDED), 0)},
    classes=("delay",),
    sites=LATE_ORDERS,
)  # fmt: skip
R11 = Law(
    "R11",
    "What no retry helps against is tried once.",
    tried_at_most(1, (BAD,)),
    "noted/failed",
    right={
        "classified": troubled(in_place(QUICK, permanent=(Rejected,)), REJECTED),
        "classified, retry topic": troubled(
            elsewhere(TOPICS, permanent=(Rejected,)), REJECTED, topics=(DEAD, RETRY)
        ),
    },
    twins={"all errors are retried": Twin(troubled(in_place(QUICK), REJECTED), 0)},
    classes=("delay",),
    sites=LATE_ORDERS,
)  # fmt: skip


def _comes_back(variant: Any, record: ConsumerRecord) -> bool:
    """A record that fails twice, on its way through a retry topic, and is sent again in the end."""
    write, again = variant
    first, last = Unavailable("first"), Rejected("last")
    made = write(record, GROUP, first, 3)
    fact = made.key, made.value, made.event_id
    waited = ConsumerRecord(RETRY, 0, 7, *fact, 99, made.headers)
    made = write(waited, "retries", last, 1)
    fact = made.key, made.value, made.event_id
    letter = dead.read_letter(ConsumerRecord(DEAD, 0, 3, *fact, 100, made.headers))
    assert letter is not None
    told = (letter.first_error, letter.last_error, letter.attempts, letter.others)
    return (
        letter.origin == (*record[:3], record.timestamp_us, GROUP)
        and told == ("Unavailable: first", "Rejected: last", 4, record.headers)
        and again(letter) == (record.key, record.value, record.event_id)
    )


R12 = Rule(
    "R12",
    "A dead letter has all that its record had, and where it came from, and how it failed.",
    st.builds(
        ConsumerRecord,
        st.just(TOPIC), st.integers(0, 5), below(1_000),
        st.one_of(st.none(), st.text("k{\u00e9\u20ac", max_size=3)),
        st.one_of(
            st.text("v{\u00e9\u20ac", max_size=5),
            st.builds('{{"total":{}}}'.format, st.integers(0, 9)),
        ),
        st.text("ab1", min_size=1, max_size=3),
        below(10**9),
        st.lists(st.tuples(st.just("trace"), st.text("xy", max_size=2)), max_size=1).map(tuple),
    ),
    _comes_back,
    right={"as it was": (dead.letter, redrive.as_it_was)},
    twins={
        "a new id": (dead.new_id, redrive.as_it_was),
        "a value written again": (dead.reserialised, redrive.as_it_was),
        "its last stop for its origin": (dead.last_stop, redrive.as_it_was),
        "redriven under a new id": (dead.letter, redrive.under_a_new_id),
    },
    situation=lambda record: record.key is not None,
    situated="records with a key",
)  # fmt: skip


def _letters_handled(most: int | None) -> Any:
    blocking = in_place(ONE_RETRY)

    def application(cluster: Cluster, handling: Any) -> None:
        blocking(cluster, handling)
        handler = handling_letters(handling, DEAD, "letters", most=most)
        cluster.group("letters", 1, handler, Serving((DEAD,), SESSION, poll_timeout_ms=500))

    return application


R13 = Law(
    "R13",
    "A letter that its handler cannot handle goes round so often at most.",
    loops_at_most(5, DEAD),
    "noted/dead_lettered",
    right={"attempts end it": troubled(_letters_handled(4), REJECTED)},
    twins={
        "always published again": Twin(
            troubled(
                _letters_handled(None), REJECTED,
                more={"heal_after_ms": 1_200, "horizon_ms": 1_000},
            ), 0,
        ),
    },
    # A crash between a letter and its commit has two of it go round.
    sites=("crash@letters-*/after_poll", "crash@letters-*/before_process"),
)  # fmt: skip

LAWS = (R01, R02, R03, R04, R05, R06, R07, R08, R09, R10, R11, R12, R13)
