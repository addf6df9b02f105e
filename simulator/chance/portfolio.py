"""A portfolio: each run is drawn in another way, because no one way finds everything.

    benign      nothing by chance: the run that shows where chance is asked
    law         as the scenario's own laws have it
    swarm       half of the classes of fault, a quarter of their sites, each often: what needs many
                faults of few kinds (two levels, as FoundationDB's 25 % of 25 %)
    sparse      one to three deviations, placed anywhere: what is rare and late
    priorities  the ties by priorities per actor, and at most one deviation: what needs an order

1. What a run is drawn by follows from the seed and the number of the run; from nothing else.
2. Without `faults` only what the laws leave open may go wrong, and the run knows how probable it is
   under the law (`log_ratio`). With `faults`, classes such as drop and crash, these may also go
   wrong where the law says never; then there is no ratio.
3. When the world has been healed, all is drawn by the law again, or is benign.
4. What harms nobody (keys, arrivals) is drawn by the law, or in quiet runs not at all.

Groce, Zhang, Eide, Chen, Regehr: Swarm Testing (ISSTA 2012) on why a run should leave most kinds
of fault out.
"""

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from simulator.chance.atlas import Atlas, Place
from simulator.chance.choosers import Chooser, Seeded, Source, Zero, benign_source
from simulator.chance.dice import Dice
from simulator.chance.laws import Bernoulli, Copies, Law, Pick
from simulator.chance.likelihood import LAW, SPARSE, SWARM, Likelihood
from simulator.chance.placing import Placing
from simulator.chance.priorities import Priorities
from simulator.chance.sites import CHOICE, FAULT_CLASSES, TIE, Site
from simulator.chance.witness import Choice
from simulator.errors import BadInput
from simulator.protocol.names import MICROS_PER_MS

BENIGN: Final = "benign"
PRIORITIES: Final = "priorities"
SHARES: Final[Mapping[str, int]] = {LAW: 1, SWARM: 6, SPARSE: 6, PRIORITIES: 1}
LATE_US: Final = tuple(ms * MICROS_PER_MS for ms in (1, 40, 1_000, 4_000, 12_000, 35_000))
COUNTS: Final = (1, 2, 3)
RATES: Final = (1 / 4, 1 / 16, 1 / 64)
CLASSES_IN: Final = 2  # One class of fault in so many is part of a swarm,
SITES_IN: Final = 4  # and one of its sites in so many.


def deviations(site: Site, law: Law, *, beyond: bool) -> tuple[int, ...]:
    """The answers at a site that a search may give instead of the benign one.

    Args:
        beyond: whether also those which the law does not give, such as a message that is late.
    """
    match law:
        case Copies():
            return (1, *(1 + late for late in LATE_US)) if beyond else (1,)
        case Bernoulli():
            return () if law.benign else (1,)
        case Pick():
            return tuple(range(1, law.n))
    found = () if law.certain else tuple(value for value in law.grid if value != law.benign)
    late = LATE_US if beyond and site.name.startswith("delay@") else ()
    return tuple(dict.fromkeys((*late, *found)))


class Portfolio(Chooser):
    """One run of a portfolio.

    Args:
        seed, run: whole numbers from 0.
        faults: classes of fault that may go wrong even where the law says never.
        atlas: what is known of the scenario; without one there are no sparse deviations.
        sites: patterns of site names: with `faults`, only these deviate.
        shares: how often each proposal is drawn, in whole numbers; one that there is no use for (a
            sparse run without an atlas, priorities without ties) is left out.

    Attributes:
        proposal: by which of them this run is drawn.
        met: where this run may have deviated, and how often.

    Raises:
        BadInput: a seed, a class or a proposal cannot be.
    """

    def __init__(
        self,
        seed: int,
        run: int = 0,
        *,
        faults: tuple[str, ...] = (),
        atlas: Atlas | None = None,
        sites: str | tuple[str, ...] = ("*",),
        shares: Mapping[str, int] = SHARES,
    ) -> None:
        for name, number in (("seed", seed), ("run", run)):
            if type(number) is not int or number < 0:
                raise BadInput("must be a whole number from 0:", f"portfolio.{name}", number)
        for one in faults:
            if one not in FAULT_CLASSES or one == CHOICE:
                known = ", ".join(known for known in FAULT_CLASSES if known != CHOICE)
                raise BadInput("no class of fault is called", "portfolio.faults", one, known)
        self.seed = seed
        self.run = run
        self._faults = faults
        self._sites = (sites,) if isinstance(sites, str) else sites
        self._atlas = atlas or Atlas()
        self._dice = Dice(seed, run, "portfolio")
        self._word = self._dice.word()
        self._placing = Placing(self._atlas)
        self._usable = self._useful(shares)
        self.proposal = self._dice.weighted(self._usable)
        self._decide()
        self.start()

    def _useful(self, shares: Mapping[str, int]) -> list[tuple[str, int]]:
        for name in shares:
            if name not in (BENIGN, *SHARES):
                known = ", ".join((BENIGN, *SHARES))
                raise BadInput("no proposal is called", "portfolio.shares", name, known)
        left_out = {
            SPARSE: not self._atlas,
            PRIORITIES: TIE not in self._faults or not self._atlas.ties,
        }
        found = [
            (name, share)
            for name, share in shares.items()
            if share > 0 and not left_out.get(name, False)
        ]
        return found or [(LAW, 1)]

    def _decide(self) -> None:
        """All that is decided before the run."""
        dice, proposal = self._dice, self.proposal
        self._rate = Bernoulli(dice.of(RATES))
        count = dice.of(COUNTS) if proposal == SPARSE else 0
        if proposal == PRIORITIES:
            count = dice.below(2)
        self.placed: list[Choice] = self._placing.place(dice, count)
        # Under the law's own weights nothing may be left out but what the law leaves out.
        able = bool(self._faults) and proposal in (SPARSE, PRIORITIES)
        self._quiet = proposal == BENIGN or (able and dice.one_in(2))

    def start(self) -> None:
        """Nothing has been asked."""
        self._healed = False
        self._inner: Chooser = Zero() if self._quiet else Seeded(self._word)
        if self.proposal == PRIORITIES:
            self._inner = Priorities(self._word, self._inner, ties=self._atlas.ties)
        self._inner.start()
        self._swarm = Seeded(self._word >> 1)
        self._asked: dict[str, list[int]] = {}
        self._class_of: dict[str, str] = {}
        self._placed: dict[str, dict[int, int]] = {}
        for number, (name, k) in enumerate(self.placed):
            word = Dice(self._word, "answer", number).word()
            self._placed.setdefault(name, {}).setdefault(k, word)
        self._likelihood: Likelihood | None = None
        if not self._faults and self.proposal != BENIGN:
            whole = sum(share for _, share in self._usable)
            self._likelihood = Likelihood(
                {name: share / whole for name, share in self._usable if name != BENIGN},
                self._placing,
                rates=RATES,
                counts=COUNTS,
                class_share=1 / CLASSES_IN,
                site_share=1 / SITES_IN,
            )

    # --- Answers -------------------------------------------------------------------------------

    def source(self, site: Site, law: Law) -> Source:
        """The answers of this run's proposal."""
        natural = self._inner.source(site, law)
        values = self._answers(site, law)
        if not values:
            return natural
        asked = self._asked.setdefault(site.name, [0])
        self._class_of[site.name] = site.fault_class
        if self.proposal == SWARM:
            deviating = self._swarming(site, law, values, natural)
        elif self.proposal in (SPARSE, PRIORITIES):
            deviating = self._sparing(site, law, values, natural)
        else:
            deviating = _undisturbed(natural)
        told = self._told(site, law)

        def draw() -> int:
            if self._healed:
                return natural()
            k = asked[0]
            asked[0] = k + 1
            value = deviating(k)
            if told is not None:
                told(k, value)
            return value

        return draw

    def _answers(self, site: Site, law: Law) -> tuple[int, ...]:
        """What may be answered instead of the benign; nothing where the search has no say."""
        if self._faults:
            allowed = site.fault_class in self._faults and any(
                fnmatchcase(site.name, pattern) for pattern in self._sites
            )
            return deviations(site, law, beyond=True) if allowed else ()
        flag = isinstance(law, Bernoulli) and not law.certain and site.fault_class != CHOICE
        return (1,) if flag else ()

    def _swarming(
        self, site: Site, law: Law, values: tuple[int, ...], natural: Source
    ) -> "_Deviating":
        """Where the site is chosen, a deviation at the swarm's rate; else no fault."""
        flags = isinstance(law, Bernoulli | Pick)
        otherwise = benign_source(law) if flags else natural
        class_dice = Dice(self._word, "class", site.fault_class)
        site_dice = Dice(self._word, "site", site.name)
        if not (class_dice.one_in(CLASSES_IN) and site_dice.one_in(SITES_IN)):
            return _undisturbed(otherwise)
        strikes = self._swarm.source(Site(f"strikes/{site.name}"), self._rate)
        which = self._swarm.source(Site(f"which/{site.name}"), Pick(len(values)))

        def answer(_: int) -> int:
            other = otherwise()
            return values[which()] if strikes() else other

        return answer

    def _sparing(
        self, site: Site, law: Law, values: tuple[int, ...], natural: Source
    ) -> "_Deviating":
        """The few deviations that were placed here; else no fault."""
        by_order = site.fault_class == TIE and self.proposal == PRIORITIES
        flags = isinstance(law, Bernoulli | Pick) and not by_order
        otherwise = benign_source(law) if flags else natural
        placed = self._placed.get(site.name)
        if placed is None:
            return _undisturbed(otherwise)

        def answer(k: int) -> int:
            other = otherwise()
            word = placed.get(k)
            return other if word is None else values[word % len(values)]

        return answer

    def _told(self, site: Site, law: Law) -> "_Told | None":
        likelihood = self._likelihood
        if likelihood is None or not isinstance(law, Bernoulli):
            return None
        name, fault_class, p = site.name, site.fault_class, float(law.p)

        def tell(k: int, value: int) -> None:
            likelihood.flag(fault_class, (name, k), p, happened=value != 0)

        return tell

    # --- About the run -------------------------------------------------------------------------

    def heal(self) -> None:
        """From here on nothing deviates."""
        self._healed = True
        self._inner.heal()

    def breaks_ties(self) -> bool:
        """Whether this run has a use for it; the benign run looks where there are any."""
        if TIE not in self._faults or self.proposal == LAW:
            return False
        if self.proposal == SWARM:
            return Dice(self._word, "class", TIE).one_in(CLASSES_IN)
        return self.proposal != SPARSE or any(name.startswith("tie@") for name, _ in self.placed)

    def describe(self) -> str:
        """Portfolio 7, run 12: sparse."""
        return f"portfolio {self.seed}, run {self.run}: {self.proposal}"

    @property
    def met(self) -> dict[str, Place]:
        """Where this run may have deviated, and how often."""
        of = self._class_of
        return {name: Place(of[name], asked[0]) for name, asked in self._asked.items() if asked[0]}

    @property
    def log_ratio(self) -> float | None:
        """The log of this run's probability under the law over that under the portfolio.

        None with `faults`: then the run may be one that the law excludes. None of a benign run.
        """
        return None if self._likelihood is None else self._likelihood.log_ratio


_Deviating = Callable[[int], int]  # Given k, the answer.
_Told = Callable[[int, int], None]  # Given k, and the answer.


def _undisturbed(source: Source) -> _Deviating:
    return lambda _k: source()
