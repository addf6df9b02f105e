"""How often does a dead letter go round that its own handler cannot handle?

Asked in apache/pulsar#24663 (an endless loop of the dead letter queue on a schema that cannot be
read). A handler reads the topic of dead letters, and publishes what it cannot handle to that very
topic: spring-kafka's DltStrategy.ALWAYS_RETRY_ON_ERROR, its default. Or a letter that was tried six
times in all is left to people. The event is bad for ever; or its service answers it at the tenth
attempt.

Predict before you run it: how many letters does one bad event make in ten seconds? What does the
limit cost the event that only needed patience?
"""

from collections.abc import Mapping
from typing import Any

from experiments._retries import ATTEMPTS, NOT_APPLIED
from experiments._shared import WIRE, plotted
from models.patterns.retrying.handled import Handled
from models.patterns.retrying.letter_promises import loops_at_most
from models.patterns.retrying.redrive import handling_letters
from models.patterns.retrying.retry_setups import in_place
from models.patterns.retrying.troubled import SESSION, Application, troubled
from models.patterns.retrying.troubles import DEAD, Troubles, changes
from models.patterns.retrying.waiting_promises import others_go_on
from simulator import Cluster, Experiment, Scenario, Serving, number, spring_fixed, uniform

ALWAYS, LIMITED, NOBODY = "always again", "six attempts", "nobody reads them"
MOST = {ALWAYS: None, LIMITED: 6}
BAD = "k0/1"
TROUBLES = {"bad for ever": Troubles(rejects=(BAD,)), "needs ten": Troubles(fails={BAD: 9})}
ROUNDS = 8


def with_letters(most: int | None) -> Application:
    """Three attempts, and then a group of one that handles the letters."""
    blocking = in_place(spring_fixed(100, 2, exhausted="dlt"))

    def application(cluster: Cluster, handling: Any) -> None:
        blocking(cluster, handling)
        handler = handling_letters(handling, DEAD, "letters", most=most)
        serving = Serving(
            (DEAD,), SESSION, processing=uniform(5_000, 15_000), poll_timeout_ms=500
        )
        cluster.group("letters", 1, handler, serving)

    return application


def scenario(factors: Mapping[str, Any], _: int) -> Scenario:
    """Six events, one of them in trouble, and ten seconds."""
    name = factors["letters"]
    application = (
        in_place(spring_fixed(100, 2, exhausted="dlt"))
        if name == NOBODY
        else with_letters(MOST[name])
    )
    return troubled(
        application,
        factors["event"],
        items=changes(3, 2),
        links=(WIRE,),
        more={"heal_after_ms": 2_000, "horizon_ms": 9_000},
    )


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """A limit ends both the loop and the patience."""
    name, always = factors["letters"], factors["letters"] == ALWAYS
    ends = name != ALWAYS or factors["event"] is TROUBLES["needs ten"]
    patient = always and factors["event"] is TROUBLES["needs ten"]
    return {
        "goes_round_at_most": "kept" if ends else "broken",
        "all_applied": "kept" if patient else "broken",
    }


EXPERIMENT = Experiment(
    name="letter_loop",
    question="How often does a dead letter go round that its own handler cannot handle?",
    scenario=scenario,
    factors={"letters": (ALWAYS, LIMITED, NOBODY), "event": TROUBLES},
    measures={
        "letters of one event": number(lambda run: run.rounds(DEAD), more_is_better=False),
        "attempts": ATTEMPTS,
        "not applied": NOT_APPLIED,
    },
    checks={
        "goes_round_at_most": loops_at_most(ROUNDS, DEAD),
        "all_applied": others_go_on((), "all_applied"),
    },
    promises=expected,
    runs=10,
    baseline={"letters": LIMITED},
    gather=Handled,
)

illustrate = plotted
