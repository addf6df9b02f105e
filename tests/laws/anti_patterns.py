"""Anti-patterns (Z01 to Z10): each does its harm in a run, and its cure does not.

They are those of the lint: a finding's witness runs, as it stages them.
"""

import attrs

from models.patterns.retrying.retry_promises import tried_at_most
from models.patterns.retrying.retry_setups import in_place
from models.patterns.retrying.troubled import troubled
from models.patterns.retrying.troubles import Troubles, changes
from models.patterns.retrying.waiting_promises import lag_at_most
from simulator import Sends, ServiceDesign
from simulator.linting.lint import all_rules
from simulator.protocol.backoff_presets import for_ever
from tests.architectures import TWINS, with_billing, with_payments, with_services
from tests.laws.law import Law, Right, Twin
from tests.laws.retries import QUICK

NOBODY = with_services(ServiceDesign("office", sends=[Sends("mails", ["SendReceipt"])]))
ANYWHERE = "crash@*"
WAITS_FOR_ITSELF = with_billing(awaits="payments")


def law(name, says, rule, twins=None, *, crashes=""):
    """A law from a rule of the lint: its twins are architectures, its right ones their cures.

    Args:
        crashes: where cures are crashed that a harm without any fault asks nothing of; "": nowhere,
            as where the promise is one of time.
    """
    twins = {rule.replace("-", " "): TWINS[rule][0]} if twins is None else twins
    found = {called: next(iter(all_rules()[rule].find(one))) for called, one in twins.items()}
    stages = {called: all_rules()[rule].stage(one, cured=False) for called, one in found.items()}
    cures = {called: all_rules()[rule].stage(one, cured=True) for called, one in found.items()}
    first = next(iter(stages.values()))
    return Law(
        name,
        says,
        first.check,
        "node_crashed" if crashes or first.faults else first.check.name,
        right={f"cure of {called}": cure.scenario for called, cure in cures.items()},
        twins={
            called: Twin(stage.scenario, stage.faults, stage.sites, check=stage.check)
            for called, stage in stages.items()
        },
        classes=("crash",) if crashes or first.faults else (),
        sites=crashes or first.sites,
    )


LAWS = (
    law("Z01", "A change is told, and what is told was changed.", "dual-write"),
    law("Z02", "A reader understands an older and a newer sender.", "unversioned-event",
        crashes=ANYWHERE),
    law("Z03", "A bad record of one type stops no record of another.", "overloaded-topic"),
    law(
        "Z04",
        "A handler that needs an answer holds up nothing else, though it were to answer itself.",
        "hidden-synchrony",
        {"waits for itself": WAITS_FOR_ITSELF},
    ),
    law(
        "Z05",
        "An aggregate's events take effect in their order.",
        "random-key",
        {"random key": with_payments(key="random")},
        crashes="crash@reader-*",
    ),
    law("Z06", "One bad record does not stop those behind it.", "endless-retries"),
    law("Z07", "A record takes effect, or is kept as a dead letter.", "no-dead-letters",
        crashes=ANYWHERE),
    law("Z08", "An event's effect in a store happens once.", "exactly-once-claimed"),
    law(
        "Z09",
        "Who is told to act does so once.",
        "command-event",
        {"two groups": TWINS["command-event"][0], "no group": NOBODY},
    ),
    law("Z10", "Nothing is granted that is not there.", "stale-decision", crashes=ANYWHERE),
)


def _nameless():
    """Records without a key follow their producer, whose choice is chance's."""
    no_key = {"no key": with_payments(key="none")}
    base = law("Z05", LAWS[4].says, "random-key", no_key, crashes="crash@reader-*")
    return attrs.evolve(
        LAWS[4],
        right={**LAWS[4].right, **base.right},
        twins={**LAWS[4].twins, **base.twins},
    )


def _without_end():
    """Besides: how often the bad record is tried, and what becomes of the lag when more come."""
    steady = {"items": changes(1, 12, every_ms=200), "more": {"horizon_ms": 5_000}}
    bad = Troubles(rejects=("k0/2",))
    ends = troubled(in_place(QUICK), bad, **steady)
    never = troubled(in_place(for_ever(500)), bad, **steady)
    return attrs.evolve(
        LAWS[5],
        right={
            **LAWS[5].right,
            "an end: so many tries": Right(ends, tried_at_most(3), "noted/failed"),
            "an end: so much lag": Right(ends, lag_at_most(5), "noted/failed"),
        },
        twins={
            **LAWS[5].twins,
            "no end: more and more tries": Twin(never, 0, check=tried_at_most(3)),
            "no end: more and more lag": Twin(never, 0, check=lag_at_most(5)),
        },
    )


LAWS = (*LAWS[:4], _nameless(), _without_end(), *LAWS[6:])
