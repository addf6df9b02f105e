"""Sagas: how they end, what is left of them, and what others see meanwhile (G01 to G11)."""

from typing import Any

from hypothesis import strategies as st

from models.patterns.sagas.carrying_out import Conduct, forgets_it, refuses_it
from models.patterns.sagas.choreography import choreographed
from models.patterns.sagas.deciding import (
    RIGHT,
    Rules,
    any_answer,
    any_step,
    awaited,
    decide,
    evolve,
    first_first,
    forgetting,
)
from models.patterns.sagas.orchestration import PLACED, Orchestrating, dropped
from models.patterns.sagas.order_saga import CONFIRMED, ORDER, Shop, order, shop_scenario
from models.patterns.sagas.reactions import TABLE, always, comes_to_rest, first_time, restocking
from models.patterns.sagas.saga import DO, UNDO, Command, Reply, Saga, State, saga
from models.patterns.sagas.saga_checks import (
    all_or_nothing,
    late_is_refused,
    one_command_a_step,
    sagas_end,
)
from models.patterns.sagas.saga_isolation import undisturbed
from models.patterns.sagas.saga_order import (
    compensated_in_reverse,
    never_forward_again,
    no_way_back,
)
from models.patterns.sagas.sending import save_then_send, send_then_save
from simulator import Scenario, constant
from tests.laws.law import Law, Rule, Twin

CREDIT, STOCK, CHARGE, PICK = (ORDER[number] for number in (1, 2, 3, 4))
SHORT = saga(CREDIT, STOCK, CHARGE, PICK)
STOCK_FIRST = saga(STOCK, CREDIT, CHARGE, PICK)
LAMP, MOON = "lamp", "moon"  # There is one lamp; of the moon nobody in the stock has heard.
NONE_LEFT = {"credit of ann": 300, "chair": 0}
RUNS, CRASH_OR_DROP = 20, ("crash", "drop")


def shop(
    *orders: dict[str, Any],
    steps: Saga = SHORT,
    sagas: dict[str, Saga] | None = None,
    conduct: Conduct | None = None,
    opening: dict[str, int] | None = None,
    cancelling_us: int = 0,
    **how: Any,
) -> Scenario:
    """A shop's scenario; `how` is the orchestrator's."""
    more: dict[str, Any] = {} if opening is None else {"opening": opening}
    if conduct is not None:
        more["conduct"] = conduct
    orchestrating = Orchestrating(sagas or {"order": steps}, **how)
    placed = orders or (order(1),)
    return shop_scenario(
        Shop(placed, how=orchestrating, cancelling=constant(cancelling_us), **more)
    )


# --- G10: any sequence of replies, of whichever saga and step ------------------------------------

REPLIES = st.builds(
    Reply,
    st.builds(
        Command,
        st.sampled_from(("o-1", "o-2")),
        st.sampled_from([step.name for step in SHORT]),
        st.sampled_from((DO, UNDO)),
    ),
    st.booleans(),
)


def only_what_is_awaited(rules: Rules, replies: list[Reply]) -> bool:
    """Whether each reply changes the saga only if it answers what is awaited."""
    state = State("o-1")
    for reply in replies:
        command = awaited(SHORT, state)
        fact = decide(SHORT, state, reply, rules)
        if fact is None:
            continue
        if reply.command != command:
            return False
        state = evolve(SHORT, state, fact, rules)
    return True


def is_stale(replies: list[Reply]) -> bool:
    """Whether some reply does not answer what is awaited, and another does."""
    state, answers = State("o-1"), 0
    for reply in replies:
        answers += reply.command == awaited(SHORT, state)
        fact = decide(SHORT, state, reply)
        state = evolve(SHORT, state, fact) if fact is not None else state
    return 0 < answers < len(replies)


LAWS = (
    Law(
        "G01",
        "Every saga ends, completed or compensated, in time.",
        sagas_end(),
        "node_crashed",
        right={
            "state and command in one transaction": shop(patience_ms=None),
            "deadlines in the store": shop(order(1, sku=MOON)),
            "what is early is kept": shop(starters=(PLACED, CONFIRMED)),
        },
        twins={
            "save, then send": Twin(
                shop(patience_ms=None, saving=save_then_send), 1, "crash@saga-0/before_send"
            ),
            "no deadline": Twin(shop(order(1, sku=MOON), patience_ms=None), 0),
            "what is early is dropped": Twin(
                shop(starters=(PLACED, CONFIRMED), early=dropped), 1, "crash@shop/before_send"
            ),
        },
        classes=CRASH_OR_DROP,
        runs=RUNS,
    ),
    Law(
        "G02",
        "A completed saga has each effect once, a compensated one none.",
        all_or_nothing(CREDIT.name, STOCK.name, CHARGE.name),
        "node_crashed",
        right={
            "completed": shop(),
            "compensated": shop(opening=NONE_LEFT),
            "choreographed": choreographed(order(1)),
            "choreographed, compensated": choreographed(order(1), opening=NONE_LEFT),
        },
        twins={
            "the late request is done": Twin(
                shop(conduct=Conduct(forgets_it)), 1, "crash@*-requests-0/before_process"
            ),
            "a compensation is missing": Twin(
                shop(opening=NONE_LEFT, rules=Rules(undo_order=forgetting(CREDIT.name))), 0
            ),
        },
        classes=CRASH_OR_DROP,
        runs=RUNS,
    ),
    Law(
        "G03",
        "What was done last is undone first.",
        compensated_in_reverse,
        "compensated_in_reverse",
        right={"last first": shop(opening=NONE_LEFT, steps=ORDER)},
        twins={
            "first first": Twin(
                shop(opening=NONE_LEFT, steps=ORDER, rules=Rules(undo_order=first_first)), 0
            )
        },
        classes=CRASH_OR_DROP,
        runs=RUNS,
    ),
    Law(
        "G04",
        "No step is begun once a compensation was asked for.",
        never_forward_again,
        "never_forward_again",
        right={"a late reply is not awaited": shop(cancelling_us=400_000)},
        twins={
            "any reply counts": Twin(
                shop(cancelling_us=400_000, rules=Rules(counts=any_answer)), 1,
                "crash@stock-requests-0/before_reply",
            )
        },
        sites=("crash@stock-requests-0/before_reply", "crash@saga-0/*"),
        classes=CRASH_OR_DROP,
        runs=RUNS,
    ),
    Law(
        "G05",
        "After the pivot has succeeded nothing is undone.",
        no_way_back(SHORT),
        "node_crashed",
        right={"asked for again": shop()},
        twins={
            "given up": Twin(
                shop(rules=Rules(gives_up=any_step)), 1, "crash@stock-requests-0/before_process"
            )
        },
        classes=CRASH_OR_DROP,
        runs=2 * RUNS,
    ),
    Law(
        "G06",
        "A step has one command, which is done once.",
        one_command_a_step,
        "node_crashed",
        right={"state and command in one transaction": shop()},
        twins={
            "send, then save": Twin(shop(saving=send_then_save), 1, "crash@saga-0/before_save")
        },
        classes=CRASH_OR_DROP,
        runs=2 * RUNS,
    ),
    Law(
        "G07",
        "What was cancelled is not done when it comes; to cancel what was never done succeeds.",
        late_is_refused,
        "late_is_refused",
        right={
            "a tombstone": shop(),
            "a tombstone, and the request never comes": shop(order(1, sku=MOON)),
        },
        twins={
            "forgotten": Twin(
                shop(conduct=Conduct(forgets_it)), 1, "crash@*-requests-0/before_process"
            ),
            "to cancel is refused": Twin(
                shop(order(1, sku=MOON), conduct=Conduct(refuses_it)), 0
            ),
        },
        sites="crash@*-requests-0/before_process",
        classes=CRASH_OR_DROP,
        runs=RUNS,
    ),
    Law(
        "G08",
        "Nobody acts on what a saga has reserved and then gives back, where there is a lock.",
        undisturbed,
        "undisturbed",
        right={
            "semantic lock": shop(
                order(1, "bob", LAMP), order(2, sku=LAMP), steps=STOCK_FIRST,
                conduct=Conduct(locks=True),
            )
        },
        twins={
            "no lock": Twin(
                shop(order(1, "bob", LAMP), order(2, sku=LAMP), steps=STOCK_FIRST), 0
            )
        },
        classes=CRASH_OR_DROP,
        runs=RUNS,
    ),
    Law(
        "G09",
        "Sagas that lock the same two things all end.",
        sagas_end(),
        "sagas_end",
        right={
            "in the same order": shop(
                order(1), order(2), sagas={"order": SHORT}, conduct=Conduct(locks=True),
                patience_ms=None,
            ),
            "in opposite orders, with deadlines": shop(
                order(1), order(2, kind="gift"), sagas={"order": SHORT, "gift": STOCK_FIRST},
                conduct=Conduct(locks=True),
            ),
        },
        twins={
            "in opposite orders": Twin(
                shop(
                    order(1), order(2, kind="gift"), sagas={"order": SHORT, "gift": STOCK_FIRST},
                    conduct=Conduct(locks=True), patience_ms=None,
                ),
                0,
            )
        },
        classes=CRASH_OR_DROP,
        runs=RUNS,
    ),
    Rule(
        "G10",
        "A reply changes only the saga that awaits it, and only while it does.",
        st.lists(REPLIES, max_size=12),
        only_what_is_awaited,
        right={"the awaited command's": RIGHT},
        twins={"any of the saga's": Rules(counts=any_answer)},
        situation=is_stale,
        situated="sequences with replies that are stale, and others",
    ),
    Rule(
        "G11",
        "From any event on, the reactions to reactions come to an end.",
        st.tuples(
            st.sampled_from(list(dict.fromkeys(one.on for one in restocking(always)))),
            st.lists(st.booleans(), max_size=6),
        ),
        lambda table, case: comes_to_rest(table, *case),
        right={"no cycle": TABLE, "a cycle with a guard": restocking(first_time)},
        twins={"a cycle without a guard": restocking(always)},
        situation=lambda case: any(case[1]),
        situated="runs in which something is refused",
    ),
)
