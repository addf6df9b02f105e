"""Systems: each keeps its promises whatever fails, and each of its twins breaks one."""

import pytest

from models.systems import bank, telemetry
from models.systems.bank import bank_scenario, transfer
from models.systems.bank_checks import money_is_conserved
from models.systems.crossing import acknowledged, at_once, leased
from models.systems.telemetry import (
    ALARMS_ONCE,
    Counting,
    alarm,
    fleet,
    reading,
    telemetry_scenario,
)  # fmt: skip
from models.systems.telemetry_checks import alarms_ring, windows_hold
from models.systems.traffic_checks import never_two_greens, nobody_waits_for_ever
from models.systems.traffic_lights import city_scenario, comes, heads
from models.systems.word_count import counting_scenario, line, words_counted
from simulator import Seeded, Status, simulate
from tests.laws.law import Law, Twin, breaks, keeps
from tests.told_traces import CUT, QUIET, applied, sent, told

KEPT, BROKEN, CANNOT_TELL = Status.KEPT, Status.BROKEN, Status.CANNOT_TELL
TRANSFERS = (transfer(1, "ann", "bob", 60), transfer(2, "ann", "eve", 60, at_ms=5))
CARS = (comes(0, 0, "north"), comes(60, 0, "east"), comes(120, 0, "north"))
SIDES = ("north", "east")
LINES = (line(1, "to be or not to be"), line(2, "be not afraid", at_ms=20))
LIFT = (
    reading("lift", 100), reading("lift", 900, sent_ms=1_200), reading("lift", 1_300),
    reading("lift", 2_700), reading("lift", 2_700, sent_ms=2_750),
    reading("lift", 300, sent_ms=2_800), alarm("lift", 500),
)  # fmt: skip
EVERYTHING = ("crash", "drop", "delay", "duplicate", "pause")


def city(way=acknowledged, head=None, **more):
    """One crossing of two streets."""
    return city_scenario(CARS, way, head, sides=SIDES, **more)


LAWS = (
    Law(
        "bank",
        "Money is neither made nor lost.",
        money_is_conserved,
        "node_crashed",
        right={"noted with its effect": bank_scenario(TRANSFERS)},
        twins={
            "the note counts as said": Twin(
                bank_scenario(TRANSFERS, bank.debits_and_trusts), 1, "crash@debit-0/before_send"
            ),
            "said before it is known": Twin(bank_scenario(TRANSFERS, bank.says_and_debits), 0),
            "credited each time": Twin(
                bank_scenario(TRANSFERS, credit=bank.credits_again), 1,
                "crash@credit-0/after_process",
            ),
        },
        runs=40,
    ),
    Law(
        "lights",
        "No two sides of a crossing are green together.",
        never_two_greens,
        "message_delivered",
        right={"acknowledged": city(), "leased": city(leased)},
        twins={
            "at once": Twin(city(at_once), 1, "crash@crossing-0-north-0/before_process"),
            "unfenced": Twin(city(head=heads(fenced=False)), 1, "crash@crossing-0-0/before_commit"),
        },
        classes=EVERYTHING,
        runs=40,
    ),
    Law(
        "every side",
        "Who comes has green in the end.",
        nobody_waits_for_ever,
        "node_crashed",
        right={"acknowledged": city()},
        twins={
            "leased": Twin(
                city(leased), 1, ("crash@crossing-0-*/after_poll", "crash@crossing-0-0/*")
            )
        },
        classes=("crash", "drop"),
        runs=40,
    ),
    Law(
        "windows",
        "A reading counts once, in the second in which it was taken, unless that is closed.",
        windows_hold,
        "node_crashed",
        right={"by event time": telemetry_scenario(LIFT)},
        twins={
            "by arrival": Twin(telemetry_scenario(LIFT, Counting(time=telemetry.by_arrival)), 0),
            "reopened": Twin(telemetry_scenario(LIFT, Counting(late=telemetry.reopening)), 0),
            "counted each time": Twin(
                telemetry_scenario(LIFT, Counting(notes=telemetry.counting_all)), 0
            ),
        },
        runs=40,
    ),
    Law(
        "alarms",
        "Each alarm rings, and once.",
        alarms_ring,
        "message_dropped",
        right={"acknowledged": telemetry_scenario(LIFT)},
        twins={
            "sent once": Twin(
                telemetry_scenario(LIFT, alarms=ALARMS_ONCE), 1, "drop@buttons>*/ProduceRequest"
            )
        },
        classes=("drop",),
        sites="drop@*/ProduceRe*",
        runs=40,
    ),
    Law(
        "word count",
        "Each word is counted as often as it occurs.",
        words_counted(LINES),
        "node_crashed",
        right={"in transactions": counting_scenario(LINES)},
        twins={
            "not in transactions": Twin(
                counting_scenario(LINES, transactional=False), 1, "crash@split-0/*"
            ),
            "offsets apart": Twin(
                counting_scenario(LINES, offsets_in_transaction=False), 1, "crash@split-0/*"
            ),
            "reading what is not committed": Twin(
                counting_scenario(LINES, isolation="read_uncommitted"), 1, "crash@split-0/*"
            ),
        },
        runs=40,
    ),
)
RIGHT = [(law, variant) for law in LAWS for variant in law.right]
TWINS = [(law, variant) for law in LAWS for variant in law.twins]


def _id(value):
    return getattr(value, "name", value)


@pytest.mark.parametrize(("law", "variant"), RIGHT, ids=_id)
def test_a_system_keeps_its_promise_whatever_fails(law, variant):
    print(keeps(law, variant))


@pytest.mark.parametrize(("law", "variant"), TWINS, ids=_id)
def test_a_twin_breaks_the_promise(law, variant):
    print(breaks(law, variant))


# --- The checks, on traces written by hand -------------------------------------------------------


def took(cents, transfer_id="t-1"):
    return applied("balance", "ann", -cents, transfer_id)


def added(cents, transfer_id="t-1"):
    return applied("balance", "bob", cents, f"{transfer_id}/debited")


def shows(side, colour, until_us=0):
    return applied("shows", f"crossing-0-{side}", (colour, until_us, 1))


def counts(start, event_id="lift@900"):
    return applied("window", ("lift", start), 1, event_id)


CLOSED = applied("closed", ("lift", 0), None)
RAISED, RANG = sent("lift!5", "alarms"), applied("alarms", "lift", 1, "lift!5")
CAME = sent("c0-north-0", "crossing-0-street", "north")
STORED = ("record_acknowledged", "line-1", "lines", 0, 0)
TWICE = words_counted((line(1, "be be"),))
CASES = [
    (money_is_conserved, KEPT, [took(5), added(5), QUIET]),
    (money_is_conserved, KEPT, [took(5), added(5), CUT]),
    (money_is_conserved, CANNOT_TELL, [took(5), CUT]),
    (money_is_conserved, CANNOT_TELL, [took(5)]),
    (money_is_conserved, BROKEN, [took(5), QUIET]),
    (money_is_conserved, BROKEN, [added(5), took(5), QUIET]),
    (money_is_conserved, BROKEN, [took(5), added(10), CUT]),
    (money_is_conserved, BROKEN, [took(5), added(10), took(5, "t-2"), CUT]),
    (never_two_greens, KEPT, [
        shows("north", "green"), shows("north", "red"), shows("east", "green"),
    ]),
    (never_two_greens, KEPT, [shows("north", "green", 1_500), shows("east", "green")]),
    (never_two_greens, KEPT, [
        applied("shows", "crossing-1-east", ("green", 0, 1)), shows("east", "green"),
    ]),
    (never_two_greens, BROKEN, [shows("north", "green"), shows("east", "green")]),
    (never_two_greens, BROKEN, [shows("north", "green", 9_000), shows("east", "green")]),
    (nobody_waits_for_ever, KEPT, [CAME, shows("north", "green"), QUIET]),
    (nobody_waits_for_ever, KEPT, [shows("north", "green"), CAME, QUIET]),
    (nobody_waits_for_ever, BROKEN, [CAME, shows("east", "green"), QUIET]),
    (nobody_waits_for_ever, CANNOT_TELL, [CAME, CUT]),
    (windows_hold, KEPT, [counts(0), CLOSED]),
    (windows_hold, BROKEN, [counts(1_000)]),
    (windows_hold, BROKEN, [CLOSED, counts(0)]),
    (windows_hold, BROKEN, [counts(0), counts(0)]),
    (alarms_ring, KEPT, [RAISED, RANG, QUIET]),
    (alarms_ring, BROKEN, [RAISED, QUIET]),
    (alarms_ring, BROKEN, [RAISED, RANG, RANG, QUIET]),
    (alarms_ring, CANNOT_TELL, [RAISED, CUT]),
    (TWICE, KEPT, [applied("words", "be", 2), QUIET]),
    (TWICE, KEPT, [applied("words", "be", 1), CUT]),
    (TWICE, KEPT, [applied("words", "be", 1), QUIET]),
    (TWICE, BROKEN, [STORED, applied("words", "be", 1), QUIET]),
    (TWICE, KEPT, [STORED, applied("words", "be", 2), QUIET]),
    (TWICE, CANNOT_TELL, [STORED, applied("words", "be", 1), CUT]),
    (TWICE, CANNOT_TELL, [STORED]),
    (TWICE, BROKEN, [STORED, applied("words", "be", 3), CUT]),
]  # fmt: skip


@pytest.mark.parametrize(("check", "status", "events"), CASES, ids=_id)
def test_a_check_says(check, status, events):
    assert check(told(*events)).status is status


# --- What else they do ---------------------------------------------------------------------------


def lamps(trace, crossing):
    """What a crossing's lamps showed, and when."""
    return [
        (entry[1], *entry[4][2:4])
        for entry in trace.of("effect_applied")
        if entry[4][1] == "shows" and entry[4][2].startswith(f"crossing-{crossing}")
    ]


def test_a_crossing_does_not_notice_the_others():
    """Each reacts to its own street; what happens elsewhere changes nothing here."""
    own = [comes(0, 1, "north"), comes(150, 1, "walk")]
    others = [comes(20, 0, "east"), comes(90, 0, "north"), comes(100, 2, "walk")]

    alone = simulate(city_scenario(own, crossings=3))
    together = simulate(city_scenario(sorted([*own, *others]), crossings=3))

    assert lamps(alone, 1) == lamps(together, 1)
    assert len(lamps(together, 0)) == 3


def test_who_presses_while_another_side_is_being_cleared_is_not_forgotten():
    trace = simulate(city_scenario([*CARS, comes(125, 0, "walk")]))

    assert nobody_waits_for_ever(trace)
    assert lamps(trace, 0)[-1][1] == "crossing-0-walk"


def test_a_leased_green_is_over_by_itself():
    trace = simulate(city(leased))

    assert all(colour == "green" and until_us for _, _, (colour, until_us, _) in lamps(trace, 0))


def test_what_is_asked_for_and_not_there_is_refused():
    """Ann has 100; of her two gifts of 60 one is refused, and nothing of it is ever in flight."""
    trace = simulate(bank_scenario(TRANSFERS))

    assert [entry[4][2:] for entry in trace.of("effect_applied")] == [
        ("ann", -60, "t-1"), ("bob", 60, "t-1/debited"),
    ]  # fmt: skip


def test_what_is_late_is_counted_apart():
    trace = simulate(telemetry_scenario(LIFT))

    late = [entry[4][4] for entry in trace.of("effect_applied") if entry[4][1] == "late"]
    assert late == ["lift@300"]


def test_a_hot_device_fills_the_partition_of_its_key():
    """One device of eight measures ten times as often; its readings share one partition of four."""
    trace = simulate(telemetry_scenario(fleet(8, 1_000, hot=10), partitions=4))

    where = [entry[4][3] for entry in trace.of("record_polled")]
    assert max(where.count(one) for one in range(4)) > 0.6 * len(where)


def test_words_of_several_lines_come_together():
    trace = simulate(counting_scenario(LINES, instances=2), Seeded(1))

    assert words_counted(LINES)(trace)
