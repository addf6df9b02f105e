"""Is money conserved when two services with a store each transfer it over events?

One service takes an amount from an account, the other adds it to another; between the two it is in
flight. Each notes what it has done in the transaction of doing it; or somebody has left a note out,
trusts it for more than it says, or speaks before it knows. Twenty transfers, some of which cannot
be paid; either nothing fails, or each place at which a service may crash does so three times in a
hundred.

Predict before you run it: which of the four makes money, and which destroys it? Which does so
without any crash? What does a crash cost the one that is right?
"""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from experiments._shared import plotted, steady_wire
from models.systems.bank import (
    OPENING,
    bank_scenario,
    credits_again,
    credits_once,
    debits,
    debits_and_trusts,
    says_and_debits,
    transfer,
)
from models.systems.bank_checks import money_is_conserved
from simulator import (
    CrashHazard,
    Experiment,
    Hazards,
    Scenario,
    Topology,
    samples,
    share,
)  # fmt: skip

SERVICES = {
    "noted with its effect": (debits, credits_once),
    "the note counts as said": (debits_and_trusts, credits_once),
    "said before it is known": (says_and_debits, credits_once),
    "added each time": (debits, credits_again),
}
CRASHES = {"none": 0.0, "3 %": 0.03}
CENTS, TRANSFERS = 20, 20
PEOPLE = tuple(OPENING)


@attrs.define
class Money:
    """Counts of one run: what was taken and added for each transfer, and how long it was under way.

    Attributes:
        taken, added: cents, by transfer.
        lasted_us: from the taking of each to the adding.
    """

    taken: dict[str, int] = attrs.field(factory=dict)
    added: dict[str, int] = attrs.field(factory=dict)
    lasted_us: list[int] = attrs.field(factory=list)
    _balances: dict[tuple[str, str], int] = attrs.field(factory=dict)
    _since_us: dict[str, int] = attrs.field(factory=dict)

    def observers(self) -> Iterable[tuple[str, Any]]:
        """What to attach to the run's trace."""
        return (("effect_applied", self._on_applied),)

    def _on_applied(self, entry: Any) -> None:
        _, table, account, value, event_id = entry[4]
        if table != "balance":
            return
        key, name = (entry[2], account), event_id.partition("/")[0]
        moved, self._balances[key] = value - self._balances.get(key, 0), value
        side = self.added if moved > 0 else self.taken
        side[name] = side.get(name, 0) + abs(moved)
        if moved < 0:
            self._since_us[name] = entry[1]
        elif name in self._since_us:
            self.lasted_us.append(entry[1] - self._since_us[name])

    @property
    def made(self) -> tuple[int, int]:
        """Cents that were added and never taken, of all that were added."""
        extra = sum(max(0, cents - self.taken.get(one, 0)) for one, cents in self.added.items())
        return extra, sum(self.added.values())

    @property
    def lost(self) -> tuple[int, int]:
        """Cents that were taken and never added, of all that were taken."""
        gone = sum(max(0, cents - self.added.get(one, 0)) for one, cents in self.taken.items())
        return gone, sum(self.taken.values())


def scenario(factors: Mapping[str, Any], seed: int) -> Scenario:
    """Twenty transfers between three people; ann and bob can pay for five each."""
    transfers = [
        transfer(n, PEOPLE[(n + seed) % 3], PEOPLE[(2 * n + seed + 1) % 3], CENTS, 20 * n)
        for n in range(TRANSFERS)
    ]
    debit, credit = SERVICES[factors["services"]]
    hazard = CrashHazard("*t-0", "*", factors["crashes"])
    return bank_scenario(
        transfers, debit, credit, hazards=Hazards(crash=(hazard,)),
        topology=Topology(links=(steady_wire(),)),
    )  # fmt: skip


def expected(factors: Mapping[str, Any]) -> dict[str, str]:
    """Only what is said too early needs no crash to be wrong."""
    right = SERVICES["noted with its effect"]
    services = SERVICES[factors["services"]]
    early = services[0] is says_and_debits
    broken = early or (services != right and factors["crashes"] > 0)
    return {"money_is_conserved": "broken" if broken else "kept"}


EXPERIMENT = Experiment(
    name="bank_money",
    question="Is money conserved when two services with a store each transfer it over events?",
    scenario=scenario,
    factors={"services": tuple(SERVICES), "crashes": CRASHES},
    measures={
        "money made": share(lambda run: run.made),
        "money lost": share(lambda run: run.lost),
        "in flight": samples(lambda run: run.lasted_us, quantiles=(0.5, 0.99)),
    },
    checks={"money_is_conserved": money_is_conserved},
    promises=expected,
    runs=12,
    baseline={"services": "noted with its effect"},
    gather=Money,
)

illustrate = plotted
