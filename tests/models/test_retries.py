"""Retries and dead letters: what each pattern does with a record that fails, and its twins not."""


import pytest

from models.patterns.retrying.circuit_breaker import breaking
from models.patterns.retrying.dead_letters import (
    fire_and_forget,
    ignoring_failure,
    last_stop,
    letter,
    log_and_skip,
    new_id,
    publishing,
    read_letter,
    reserialised,
    stopping,
)
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.lag import watching_lag
from models.patterns.retrying.parking import LETTERS
from models.patterns.retrying.redrive import remembering_first, under_a_new_id, written_again
from models.patterns.retrying.retries import persisted, retrying
from models.patterns.retrying.retry_presets import ELSEWHERE, PARKED, PRESETS, ending
from models.patterns.retrying.retry_setups import (
    RETRY,
    elsewhere,
    in_place,
    parked,
    redriven,
    sought,
)
from models.patterns.retrying.retry_topics import Ladder
from models.patterns.retrying.troubled import grouped, troubled
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
    version,
)
from simulator import (
    PARK,
    Backoff,
    BadInput,
    ConsumerRecord,
    Crash,
    FaultPlan,
    Fixed,
    FullJitter,
    Replay,
    Seeded,
    lecture_loop,
    lecture_promise,
    parse_witness,
    retryable_topic,
    simulate,
)
from simulator.protocol.backoff_laws import Listed

BAD = "k0/1"
REJECTED = Troubles(rejects=(BAD,))
QUICK = Backoff(law=Fixed(100), max_retries=2, exhausted="dlt")


def run(application, troubles, *faults, chooser=None, **more):
    """The trace of a run, and what is counted of it."""
    handled = Handled()
    if faults:
        more["more"] = {"faults": FaultPlan(faults), **more.get("more", {})}
    scenario = troubled(application, troubles, **more)
    return simulate(scenario, chooser, observers=handled.observers()), handled


def noted(trace, *labels):
    """(at ms, label, detail) of a model's own words."""
    found = [(at_us // 1_000, *event[1:]) for _, at_us, _, _, event in trace.of("noted")]
    return [one for one in found if one[1] in labels or not labels]


def attempts_ms(trace, event_id=BAD):
    """When an event was tried, from its first attempt."""
    at = [at_ms for at_ms, _, event in noted(trace, "attempted") if event == event_id]
    return [one - at[0] for one in at]


def rows(trace, table="state"):
    """What each key's row is in the end."""
    told = [entry[4] for entry in trace.of("effect_applied")]
    return {key: value for _, where, key, value, _ in told if where == table}


def letters(trace):
    """The events of which the topic of dead letters was told to have them."""
    told = [entry[4] for entry in trace.of("record_acknowledged")]
    return [event_id for _, event_id, topic, _, _ in told if topic == DEAD]


# --- The lecture's check: what fails reaches the dead letters after the limit -------------------


def test_an_event_whose_processing_fails_reaches_the_dead_letters_after_the_limit():
    """C4 of the lecture: five attempts by its own loop, then the DLQ; the next event goes on."""
    trace, handled = run(in_place(lecture_loop()), REJECTED)

    assert letters(trace) == [BAD]
    assert handled.attempts == {BAD: 5, "k0/2": 1}
    assert rows(trace) == {"k0": 2}
    assert handled.lost == (0, 2)


def test_the_lectures_loop_sleeps_once_more_before_the_letter_and_its_promise_does_not():
    """5 ms is what each attempt takes; in the end both have waited for 7.5 s."""
    loop, looped = run(in_place(lecture_loop()), REJECTED)
    promise, promised = run(in_place(lecture_promise()), REJECTED)

    assert attempts_ms(loop) == [0, 505, 1_510, 3_015, 5_020]
    assert attempts_ms(promise) == [0, 505, 1_510, 3_515, 7_520]
    assert looped.gave_up_after_us // 1_000 - 5_025 == 2_500 + 4, "and 4 ms for the letter"
    assert promised.gave_up_after_us // 1_000 - 7_525 == 4


# --- In its place -----------------------------------------------------------------------------


def test_a_record_that_fails_is_tried_in_its_place_until_it_does_not():
    trace, handled = run(in_place(QUICK), Troubles(fails={BAD: 2}))

    assert attempts_ms(trace) == [0, 105, 210]
    assert handled.out_of_order == (0, 2)
    assert letters(trace) == []


def test_a_permanent_error_is_tried_once():
    trace, handled = run(in_place(QUICK, permanent=(Rejected,)), REJECTED)

    assert handled.attempts[BAD] == 1
    assert letters(trace) == [BAD]


def test_attempts_in_a_store_count_those_that_kill():
    kills = Troubles(kills=(BAD,))
    _, in_memory = run(in_place(QUICK), kills)
    stored, in_store = run(in_place(QUICK, counting=persisted(LEDGER)), kills)

    assert in_memory.attempts[BAD] > 10, "until hazards end: a version that survives is deployed"
    assert in_store.attempts[BAD] == 3
    assert in_store.crashes == 3
    assert letters(stored) == [BAD]


def test_jitter_is_drawn_at_a_site_of_its_own_and_only_where_there_is_any():
    jittered = Backoff(law=FullJitter(Fixed(1_000)), max_retries=1, exhausted="dlt")
    fail_once = Troubles(fails={BAD: 1})
    replay = Replay(parse_witness("retry@billing-0#0=250000"), strict=False)
    trace, _ = run(in_place(jittered), fail_once, chooser=replay)

    assert attempts_ms(trace) == [0, 5 + 250]
    steady = {tuple(attempts_ms(run(in_place(QUICK), fail_once, chooser=Seeded(n))[0]))
              for n in range(3)}  # fmt: skip
    assert steady == {(0, 105)}


@pytest.mark.parametrize("kind", ["plain", "generator", "async"])
def test_any_handler_can_be_wrapped(kind):
    """A plain one has its calls at once; the two others wait."""
    calls = []

    def plain(context):
        ledger = context.store(LEDGER)

        def handle(record):
            fail_twice(record)
            ledger.transact(added_up(record))

        return handle

    def generator(context):
        ledger = context.store(LEDGER)

        def handle(record):
            fail_twice(record)
            yield ledger.transact(added_up(record))

        return handle

    def awaiting(context):
        ledger = context.store(LEDGER)

        async def handle(record):
            fail_twice(record)
            await ledger.transact(added_up(record))

        return handle

    def fail_twice(record):
        calls.append(record.event_id)
        if calls.count(record.event_id) <= 2:
            raise Unavailable("not yet")

    factory = {"plain": plain, "generator": generator, "async": awaiting}[kind]
    application = grouped(lambda _: breaking(retrying(factory, QUICK), failures=9))
    trace, _ = run(application, Troubles())

    assert calls == [BAD] * 3 + ["k0/2"] * 3
    assert rows(trace, "total") == {"k0": 3}


# --- Letters ------------------------------------------------------------------------------------

RECORD = ConsumerRecord(TOPIC, 2, 41, "k0", '{"version":1}', BAD, 77, (("trace", "t1"),))
FIRST, LAST = Unavailable("first"), Rejected("last")


def travelled(made, topic=DEAD):
    return ConsumerRecord(topic, 0, 5, made.key, made.value, made.event_id, 99, made.headers)


def test_a_letter_says_where_its_record_came_from_and_how_it_failed_first_and_last():
    there = read_letter(travelled(letter(RECORD, GROUP, FIRST, 3)))
    later = read_letter(travelled(letter(travelled(there, RETRY), "retries", LAST, 2)))

    assert there.origin == later.origin == (TOPIC, 2, 41, 77, GROUP)
    assert (later.first_error, later.last_error) == ("Unavailable: first", "Rejected: last")
    assert later.attempts == 5
    assert (later.key, later.value, later.event_id, later.others) == (
        RECORD.key, RECORD.value, RECORD.event_id, RECORD.headers
    )  # fmt: skip


def test_a_letter_does_not_grow_on_its_way():
    made = letter(RECORD, GROUP, FIRST, 1)
    sizes = set()
    for _ in range(5):
        made = letter(travelled(made), GROUP, FIRST, 1)
        sizes.add(sum(len(value) for _, value in made.headers))

    assert len(sizes) == 1


def test_a_record_without_a_letters_headers_is_none():
    assert read_letter(RECORD) is None


def test_each_twin_of_a_letter_loses_one_thing():
    right = letter(RECORD, GROUP, FIRST, 1)
    waited = travelled(right, RETRY)

    assert new_id(RECORD, GROUP, FIRST, 1).event_id == "k0/1-dead"
    assert reserialised(RECORD, GROUP, FIRST, 1).value == '{"version": 1}'
    assert reserialised(RECORD._replace(value="no JSON"), GROUP, FIRST, 1).value == '"no JSON"'
    assert last_stop(waited, "retries", LAST, 1).origin == (RETRY, 0, 5, 99, "retries")
    assert under_a_new_id(right) == (right.key, right.value, "k0/1-again")
    assert written_again(right) == (right.key, '{"version": 1}', BAD)


@pytest.mark.parametrize(
    ("giving_up", "lost", "applied"),
    [
        (publishing(DEAD, GROUP), 0, 0),
        (ignoring_failure(DEAD, GROUP), 1, 1),
        (fire_and_forget(DEAD, GROUP), 1, 1),
        (log_and_skip, 1, 1),
        (stopping, 0, 0),
    ],
)
def test_where_a_letter_cannot_be_published_one_blocks_or_loses(giving_up, lost, applied):
    """There is no such topic."""
    trace, handled = run(
        in_place(QUICK, giving_up), REJECTED, topics=(),
        more={"heal_after_ms": 2_000, "horizon_ms": 20_000},
    )  # fmt: skip

    assert handled.lost == (lost, 2)
    assert len(rows(trace)) == applied
    assert bool(trace.of("warned")) == (giving_up is stopping)


def test_a_letter_that_nobody_waits_for_dies_with_its_process():
    crash = Crash("billing-0", "after_commit")
    _, awaited = run(in_place(QUICK), REJECTED, crash)
    _, forgotten = run(in_place(QUICK, fire_and_forget(DEAD, GROUP)), REJECTED, crash)

    assert awaited.lost == (0, 2)
    assert forgotten.lost == (1, 2)


# --- Retry topics -----------------------------------------------------------------------------


def test_a_retry_topic_lets_others_pass_and_waits_until_the_record_is_due():
    policy = retryable_topic(3, 1_000)
    trace, handled = run(elsewhere(policy), REJECTED, topics=(DEAD, RETRY))

    assert [one >= 1_000 * number for number, one in enumerate(attempts_ms(trace))] == [True] * 3
    assert handled.attempts == {BAD: 3, "k0/2": 1}
    assert handled.waited_us[0] < 50_000
    assert letters(trace) == [BAD]


def test_in_one_retry_topic_a_short_delay_waits_behind_a_long_one_and_in_two_it_does_not():
    """k0/1 fails twice: it is due after 5 s more when k1/1 is to wait for 1 s only."""
    policy = Backoff(law=Listed((1_000, 5_000)), max_retries=2, exhausted="dlt")
    troubles = Troubles(fails={"k0/1": 2, "k1/1": 1})
    items = (*changes(1, 1), *changes(("k1",), 1, from_ms=2_500))

    def second_attempt(*retry):
        trace, _ = run(
            elsewhere(policy, retry, from_ms=3_000), troubles, items=items, topics=(DEAD, *retry)
        )
        return attempts_ms(trace, "k1/1")[1]

    assert second_attempt("retry") > 4_000
    assert 1_000 <= second_attempt("retry-0", "retry-1") < 1_100


def test_a_crash_between_letter_and_commit_makes_two_letters_and_loses_none():
    trace, handled = run(
        elsewhere(retryable_topic(2, 100)), REJECTED, Crash("billing-0", "before_commit"),
        topics=(DEAD, RETRY),
    )  # fmt: skip

    assert letters(trace) == [BAD, BAD]
    assert handled.lost == (0, 2)


def test_a_ladder_goes_forward_and_ends_at_the_dead_letters():
    ladder = Ladder(retryable_topic(4, 100, 2.0), ("r0", "r1"), DEAD, (Rejected,))

    def to(attempts, error=FIRST):
        return ladder.next(attempts, error, lambda *_: (0.0, 0.0))

    assert [to(n) for n in (1, 2, 3, 4)] == [
        ("r0", 100_000), ("r1", 200_000), ("r1", 400_000), (DEAD, 0)
    ]  # fmt: skip
    assert to(1, LAST) == (DEAD, 0)


def test_an_operator_gives_up_and_says_so():
    def application(cluster, _):
        watching_lag(cluster, {"nobody": (TOPIC,)}, from_ms=1_500, until_ms=4_000)

    trace, handled = run(application, Troubles())

    assert noted(trace, "unfinished")[0][2] == "2 records are left"
    assert handled.lost == (0, 2), "nobody has passed them"


def test_an_operator_is_not_content_before_anything_is_there():
    def application(cluster, _):
        watching_lag(cluster, {"nobody": (TOPIC,)}, from_ms=1_500, until_ms=7_000)

    trace, _ = run(application, Troubles(), items=changes(from_ms=5_500))

    assert noted(trace, "unfinished")[0][2] == "2 records are left"


# --- Parking ------------------------------------------------------------------------------------

MENDED = Troubles(rejects=(BAD,), mended_ms=2_500)


def test_what_follows_a_parked_record_is_parked_behind_it_and_evaluated_in_order():
    trace, handled = run(parked(), MENDED, items=changes(2, 3))

    assert [event for _, _, event in noted(trace, "parked")] == ["k0/1", "k0/2", "k0/3"]
    assert rows(trace) == {"k0": 3, "k1": 3}
    assert handled.out_of_order == (0, 6)
    assert handled.attempts["k0/2"] == 1


def test_a_record_that_comes_again_is_parked_once():
    """Unless it was evaluated meanwhile: then it is handled again, like any other."""
    crash = Crash("billing-0", "after_process")
    late, _ = run(parked(from_ms=6_000), MENDED, crash, items=changes(1, 1))
    early, _ = run(parked(from_ms=2_600), MENDED, crash, items=changes(1, 1))

    assert [len(noted(trace, "parked")) for trace in (late, early)] == [2, 1]
    assert [len(trace.of("effect_applied")) for trace in (late, early)] == [1, 2]


def test_a_sequence_that_is_full_stops_its_partition_until_there_is_room():
    trace, _ = run(parked(most=2, from_ms=4_000), MENDED, items=changes(1, 4))
    third = [at_ms for at_ms, _, event in noted(trace, "attempted") if event == "k0/3"]

    assert [event for _, _, event in noted(trace, "parked")] == ["k0/1", "k0/2"]
    assert third[0] >= 4_000
    assert rows(trace) == {"k0": 4}
    assert LETTERS


# --- Redrive ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "table", "row"), [(None, "state", 1), (newer, "state", 2), (added_up, "total", 3)]
)
def test_a_redriven_letter_overwrites_what_is_newer_unless_its_effect_heeds_that(
    effect, table, row
):
    given = {} if effect is None else {"effect": effect}
    trace, _ = run(redriven(in_place(QUICK)), MENDED, **given)

    assert [event for _, _, event in noted(trace, "redriven")] == [BAD]
    assert rows(trace, table) == {"k0": row}


def test_who_remembers_an_event_before_its_work_drops_the_work():
    application = redriven(in_place(Backoff(law=Fixed(0), max_retries=0, exhausted="dlt")))

    def remembers(cluster, handling):
        application(cluster, remembering_first(handling, LEDGER))

    trace, _ = run(remembers, MENDED, effect=added_up)

    assert [event for _, _, event in noted(trace, "seen")] == [BAD]
    assert rows(trace, "total") == {"k0": 2}


# --- Circuit breaker -----------------------------------------------------------------------------

OUTAGE = Troubles(down_ms=(1_000, 8_000))


def breaker(failures):
    return grouped(
        lambda factory: retrying(
            breaking(factory, failures=failures, every_us=500_000, permanent=(Rejected,)),
            QUICK, giving_up=publishing(DEAD, GROUP), permanent=(Rejected,),
        )
    )  # fmt: skip


def test_an_open_breaker_spends_no_retries_on_an_outage():
    without, _ = run(in_place(QUICK), OUTAGE)
    with_it, handled = run(breaker(3), OUTAGE)

    assert letters(without) == [BAD, "k0/2"]
    assert letters(with_it) == []
    assert [label for _, label, _ in noted(with_it, "opened", "closed")] == ["opened", "closed"]
    assert handled.attempts[BAD] > 10


def test_a_permanent_error_closes_a_breaker_and_costs_a_record_its_place():
    trace, handled = run(breaker(3), REJECTED)

    assert letters(trace) == [BAD]
    assert handled.attempts[BAD] == 1
    assert noted(trace, "opened") == []


# --- Seeking, presets -----------------------------------------------------------------------------


def test_who_seeks_to_the_first_failure_reads_what_lies_behind_again():
    """Both failed in one poll."""
    trace, handled = run(
        sought(3), Troubles(fails={"k0/1": 1, "k0/2": 1}), items=changes(1, 3, every_ms=0)
    )

    assert rows(trace) == {"k0": 3}
    assert handled.attempts == {"k0/1": 2, "k0/2": 2, "k0/3": 2}


def test_a_preset_says_what_becomes_of_a_record_in_the_end():
    ends = {
        name: ending(one.policy, DEAD, GROUP)
        for name, one in PRESETS.items()
        if one.where != PARKED
    }

    assert ends["spring-kafka default"] is ends["connect all"] is log_and_skip
    assert ends["connect none"] is stopping
    assert PRESETS["nservicebus"].policy.attempts == PRESETS["masstransit"].policy.attempts == 24
    assert [name for name, one in PRESETS.items() if one.where == ELSEWHERE] == [
        "spring-kafka retry topic", "nservicebus", "masstransit"
    ]  # fmt: skip
    assert all(one.source for one in PRESETS.values())
    with pytest.raises(BadInput, match="park"):
        ending(Backoff(law=Fixed(1), exhausted=PARK), DEAD, GROUP)


def test_an_event_says_its_version():
    item = changes(1, 2)[1]

    assert version(ConsumerRecord(TOPIC, 0, 0, item.key, item.value, item.event_id)) == 2
    assert [one.event_id for one in changes(("a", "b"), 1)] == ["a/1", "b/1"]


