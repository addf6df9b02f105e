"""Who answers from what was written down: a witness decides, whatever the laws say.

1. A plan that names a site is obeyed even where the law is certain: a planned loss on a lossless
   link is a loss. All that is asked at such a site is counted, certain or not.
2. A choice that the plan does not name is benign, or left to another chooser.

    Sparse     a few deviations, and a list of all places where one could have been
    Replay     a witness, to the letter
    Overlay    a plan above another chooser
"""

from collections.abc import Callable, Iterable

from simulator.chance.choosers import Chooser, Source, benign_source
from simulator.chance.laws import Law
from simulator.chance.sites import Site
from simulator.chance.witness import Choice, Witness, check_witness, format_witness
from simulator.errors import BadInput, ReplayDiverged, UnknownSite


class _Plan:
    """Planned answers by site, and how often the run has asked at each site of the plan."""

    def __init__(self, witness: Witness, where: str) -> None:
        self.witness = check_witness(witness, where)
        self._by_site: dict[str, dict[int, int]] = {}
        for (name, k), value in self.witness.items():
            self._by_site.setdefault(name, {})[k] = value
        self.asked: dict[str, list[int]] = {name: [0] for name in self._by_site}

    def start(self) -> None:
        self.asked = {name: [0] for name in self._by_site}

    def names(self, name: str) -> bool:
        return name in self._by_site

    def names_ties(self) -> bool:
        return any(name.startswith("tie@") for name in self._by_site)

    def unmet(self) -> list[Choice]:
        return [(name, k) for name, k in self.witness if k >= self.asked[name][0]]

    def source(
        self, site: Site, law: Law, otherwise: Source, refuse: Callable[[Choice, int], int]
    ) -> Source:
        """Planned answers first. What was not planned is asked of `otherwise` every time, so that
        its later answers stay where they were.
        """
        name, planned, asked = site.name, self._by_site[site.name], self.asked[site.name]
        allows = law.allows

        def draw() -> int:
            k = asked[0]
            asked[0] = k + 1
            other = otherwise()
            value = planned.get(k)
            if value is None:
                return other
            return value if allows(value) else refuse((name, k), value)

        return draw

    def describe(self) -> str:
        text = format_witness(self.witness)
        return text if len(text) <= 200 else f"{len(self.witness)} choices"


class Sparse(Chooser):
    """A few deviations, all else benign; a deviation that the law does not allow is benign too.

    Attributes:
        atlas: every choice that the run met, `(site, k, law)`, in the order of asking: the places
            where a deviation may be put next.
    """

    def __init__(self, deviations: Witness) -> None:
        self._plan = _Plan(deviations, "deviations")
        self._asked: dict[str, list[int]] = {}
        self.atlas: list[tuple[Site, int, Law]] = []

    def source(self, site: Site, law: Law) -> Source:
        """The deviations of the site; else the benign answer."""
        # Occurrences of certain laws count too: a pick among one today may be among two tomorrow.
        answer = benign_source(law)
        if self._plan.names(site.name):
            answer = self._plan.source(site, law, answer, lambda _choice, _value: law.benign)
        asked = self._asked.setdefault(site.name, [0])
        open_choice, atlas = not law.certain, self.atlas

        def draw() -> int:
            k = asked[0]
            asked[0] = k + 1
            if open_choice:
                atlas.append((site, k, law))
            return answer()

        return draw

    def describe(self) -> str:
        """Deviations drop@a>b/ProduceRequest#3=1."""
        return f"deviations {self._plan.describe()}".rstrip()

    def mentions(self, name: str) -> bool:
        """Whether the witness names the site."""
        return self._plan.names(name)

    def breaks_ties(self) -> bool:
        """Whether the witness names a tie."""
        return self._plan.names_ties()

    def start(self) -> None:
        """No choice has been met."""
        self._plan.start()
        self._asked = {}
        self.atlas = []

    @property
    def unmet(self) -> list[Choice]:
        """The deviations which the run never asked for."""
        return self._plan.unmet()


class Replay(Chooser):
    """A witness; what it does not name is benign.

    Args:
        strict: what the run asks must fit what was recorded; else what does not fit is benign.
    """

    def __init__(self, witness: Witness, *, strict: bool = True) -> None:
        self.strict = strict
        self._plan = _Plan(witness, "witness")
        self._met: dict[str, None] = {}

    def source(self, site: Site, law: Law) -> Source:
        """The recorded answers of the site; else the benign answer.

        Raises:
            ReplayDiverged: (when asked, if strict) the law does not allow the recorded answer.
        """
        self._met[site.name] = None
        benign = law.benign
        if not self._plan.names(site.name):
            return benign_source(law)

        def refuse(choice: Choice, value: int) -> int:
            if self.strict:
                name, k = choice
                raise ReplayDiverged(
                    f"{name}#{k}: the witness says {value}, which {law} does not allow"
                )
            return benign

        return self._plan.source(site, law, benign_source(law), refuse)

    def finish(self) -> None:
        """See that all which was recorded was asked.

        Raises:
            UnknownSite: (if strict) the run never met a recorded site.
            ReplayDiverged: (if strict) it asked there less often than recorded.
        """
        if not self.strict:
            return
        for name, k in self._plan.unmet():
            if name not in self._met:
                raise UnknownSite(
                    "the run never met the site", "witness", name, near_sites(name, self._met)
                )
            asked = self._plan.asked[name][0]
            times = "once" if asked == 1 else f"{asked} times"
            raise ReplayDiverged(f"{name}#{k}: is in the witness, but the run asked there {times}")

    def describe(self) -> str:
        """Replay crash@a/after_process#0=1."""
        return f"replay {self._plan.describe()}".rstrip()

    def mentions(self, name: str) -> bool:
        """Whether the witness names the site."""
        return self._plan.names(name)

    def breaks_ties(self) -> bool:
        """Whether the witness names a tie."""
        return self._plan.names_ties()

    def start(self) -> None:
        """Nothing has been asked."""
        self._plan.start()
        self._met = {}

    @property
    def unmet(self) -> list[Choice]:
        """The recorded choices which the run never asked for."""
        return self._plan.unmet()


def near_sites(name: str, met: Iterable[str]) -> str:
    """`did you mean A, B?`, or how many sites there were."""
    from difflib import get_close_matches

    names = list(met)
    near = get_close_matches(name, names, n=3)
    return f"did you mean {', '.join(near)}?" if near else f"none of its {len(names)} is like it"


class Overlay(Chooser):
    """What is planned, and for all else the inner chooser, to whom nothing has changed."""

    def __init__(self, deviations: Witness, inner: Chooser) -> None:
        self.inner = inner
        self._plan = _Plan(deviations, "plan")

    def source(self, site: Site, law: Law) -> Source:
        """The inner chooser's own source, unless the plan names the site.

        Raises:
            BadInput: (when asked) the law does not allow the planned answer.
        """
        answer = self.inner.source(site, law)
        if not self._plan.names(site.name):
            return answer

        def refuse(choice: Choice, value: int) -> int:
            raise BadInput(f"{law} does not allow", f"plan, {choice[0]}#{choice[1]}", value)

        return self._plan.source(site, law, answer, refuse)

    def describe(self) -> str:
        """Seed 7 with drop@a>b/ProduceRequest#3=1."""
        plan = self._plan.describe()
        return f"{self.inner.describe()} with {plan}" if plan else self.inner.describe()

    def mentions(self, name: str) -> bool:
        """Whether the plan, or the inner chooser, names the site."""
        return self._plan.names(name) or self.inner.mentions(name)

    def start(self) -> None:
        """Nothing has been asked."""
        self._plan.start()
        self.inner.start()

    def finish(self) -> None:
        """As the inner chooser."""
        self.inner.finish()

    def heal(self) -> None:
        """As the inner chooser."""
        self.inner.heal()

    def breaks_ties(self) -> bool:
        """Whether the plan names a tie, or the inner chooser breaks them."""
        return self._plan.names_ties() or self.inner.breaks_ties()

    @property
    def unmet(self) -> list[Choice]:
        """The planned choices which the run never asked for."""
        return self._plan.unmet()
