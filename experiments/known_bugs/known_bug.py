"""A known bug is a value: a scenario that has it, the faults that bring it out, and what mends it.

1. A hole in the protocol is configuration, variant and faults; nothing is written into a log by
   hand. A slip of one product's code is a patch of our own code, and mended without the patch.
2. A fix differs from what is broken in nothing but what mends it.
3. The anomaly is the name of a check. It is kept by the fix, under the same faults.
4. What looks like a bug and is none is searched too: there what is promised is kept all the same.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext

import attrs
from hypothesis import strategies as st

from simulator import CHECKS, Check, FaultPlan, Scenario, all_of
from simulator.testing import fault_plans

BUDGET = 100
WITHOUT_THE_SLIP = "without the slip"
NO_BUG = "nothing: it is no bug, and what is promised is kept"


@attrs.frozen
class Faults:
    """The faults of a search: at most so many of these kinds, at moments that the runs have.

    `kinds`, `nodes` and `messages` as `simulator.testing.fault_plans` takes them.
    """

    kinds: tuple[str, ...]
    nodes: str | tuple[str, ...] = "*"
    messages: str = "*"
    most: int = 2

    def plans(self, scenario: Scenario) -> st.SearchStrategy[FaultPlan]:
        """What to draw from."""
        return fault_plans(
            scenario,
            most=self.most,
            kinds=self.kinds,
            nodes=self.nodes,
            messages=self.messages,
        )

    def __str__(self) -> str:
        what = " or ".join(self.kinds)
        nodes = (self.nodes,) if isinstance(self.nodes, str) else self.nodes
        of = [one for one in (*nodes, self.messages) if one != "*"]
        return f"at most {self.most} of {what}" + (f" ({', '.join(of)})" if of else "")


@attrs.frozen
class Planned:
    """Plans of a row's own, where faults must come together to matter.

    `words` say what they are: "the leader crashes while a follower is cut off".
    """

    words: str
    draw: Callable[[Scenario], st.SearchStrategy[FaultPlan]]

    def plans(self, scenario: Scenario) -> st.SearchStrategy[FaultPlan]:
        """What to draw from."""
        return self.draw(scenario)

    def __str__(self) -> str:
        return self.words


@attrs.frozen(kw_only=True)
class KnownBug:
    """One row.

    Attributes:
        name: of the row: a letter and two digits.
        title: what is wrong, in a line.
        source: where it is described: Kafka's tickets and proposals, other products' issues.
        anomaly: the name of the check that is broken.
        story: what happens, in a sentence or two.
        broken: the scenario that has the bug.
        fixes: by what mends it: the same scenario, mended.
        faults: among which to search.
        budget: how many runs the search has; the fix is searched as long.
        slip: patches the bug into our own code, where it is one product's slip.
        allowed: what is broken, where nobody promises that; the search shows that it happens.
        promises: the names of the checks that are kept where it does.
    """

    name: str
    title: str
    source: str
    anomaly: str
    story: str
    broken: Scenario
    fixes: Mapping[str, Scenario] = attrs.field(factory=dict)
    faults: Faults | Planned
    budget: int = BUDGET
    slip: Callable[[], AbstractContextManager[None]] | None = None
    allowed: Check | None = None
    promises: tuple[str, ...] = ()

    @property
    def mended(self) -> Mapping[str, Scenario]:
        """Each fix; of a slip, that it is not there; of what is no bug, the same again."""
        if self.allowed is not None:
            return {NO_BUG: self.broken}
        return self.fixes if self.slip is None else {WITHOUT_THE_SLIP: self.broken}

    @property
    def sought(self) -> Check:
        """What is to be found broken."""
        return CHECKS[self.anomaly] if self.allowed is None else self.allowed

    @property
    def promised(self) -> Check:
        """What is kept where it is mended, or where it is no bug."""
        if self.allowed is None:
            return self.sought
        return all_of(*(CHECKS[name] for name in self.promises))

    def slipped(self) -> AbstractContextManager[None]:
        """Inside, the slip is in the code; a row without one needs nothing."""
        return nullcontext() if self.slip is None else self.slip()
