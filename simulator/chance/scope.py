"""A scope says what an exhaustive search tries: where, how often, with which answers, and when.

1. Sites are named by patterns, `crash@billing-*/*` or `drop@*>*/ProduceRequest`. At all others the
   answer is the benign one: what a search finds, or does not find, is said of its scope alone.
2. Budgets are by class of fault: where one is spent, nothing more is asked of that class.
3. The sites may open late (once a group is stable, say), and they close when the world is healed:
   a fault after that could only be held against liveness, and is not meant to. Ties do not close:
   who goes first is no fault, and what was tied before may show only then.
"""

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Final

import attrs

from simulator.chance.laws import Law
from simulator.chance.sites import FAULT_CLASSES, Site
from simulator.errors import BadInput

TIE_SITES: Final = "tie@"
NOT: Final = "!"  # Before a pattern: not at these sites.
NOWHERE: Final = "-"  # A pattern of no site, for who means none: nothing is varied.

Observing = tuple[str, Callable[[object], None]]
_Values = tuple[int, ...]
_Opens = tuple[str, int]


def _patterns(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _budgets(value: Mapping[str, int] | None) -> dict[str, int]:
    return dict(value or {})


def _grids(value: Mapping[str, Iterable[int]] | None) -> dict[str, tuple[int, ...]]:
    return {pattern: tuple(answers) for pattern, answers in (value or {}).items()}


def _whole(where: str, value: object) -> None:
    if type(value) is not int or value < 0:
        raise BadInput("must be a whole number from 0:", where, value)


def _opening(value: str | _Opens | None) -> _Opens | None:
    return (value, 1) if isinstance(value, str) else value


@attrs.frozen
class Scope:
    """What an exhaustive search tries.

    Args:
        sites: patterns of site names; with a `!` before it, of sites that are left out.
        budgets: how many faults of a class there are in a run at most, such as `{"crash": 2}`;
            of a class without a budget, any number.
        deviations: how many answers in all are not the benign one at most; None: any number.
        grids: for patterns of sites, the answers that are tried besides the benign one; the
            others take the few that their law names (`law.grid`). Of a delay: microseconds.
        opens: a kind of event, or `(kind, n)`: the sites open with the n-th of them; None: at once.

    Raises:
        BadInput: no site is named, or a budget is of no class of fault or no whole number.
    """

    sites: tuple[str, ...] = attrs.field(converter=_patterns)
    budgets: Mapping[str, int] = attrs.field(default=None, converter=_budgets, hash=False)
    deviations: int | None = None
    grids: Mapping[str, _Values] = attrs.field(default=None, converter=_grids, hash=False)
    opens: _Opens | None = attrs.field(default=None, converter=_opening)

    def __attrs_post_init__(self) -> None:
        if not self.sites:
            raise BadInput("names no site", "scope.sites", fix='such as "crash@*" or "drop@*"')
        if all(pattern.startswith(NOT) for pattern in self.sites):
            fix = 'give "*" as well: all but these'
            raise BadInput("only leaves sites out:", "scope.sites", ", ".join(self.sites), fix)
        for name, budget in self.budgets.items():
            if name not in FAULT_CLASSES:
                known = "one of " + ", ".join(FAULT_CLASSES)
                raise BadInput("no class of fault is called", "scope.budgets", name, known)
            _whole(f"scope.budgets[{name}]", budget)
        if self.deviations is not None:
            _whole("scope.deviations", self.deviations)

    def holds(self, name: str) -> bool:
        """Whether the site is among those that are tried."""
        held = False
        for pattern in self.sites:
            if pattern.startswith(NOT):
                if fnmatchcase(name, pattern[len(NOT) :]):
                    return False
            elif not held:
                held = fnmatchcase(name, pattern)
        return held

    def unmet(self, names: Iterable[str]) -> tuple[str, ...]:
        """The patterns that are of none of these sites: what they were to bring in is left out."""
        known = list(names)
        return tuple(
            pattern
            for pattern in self.sites
            if not pattern.startswith(NOT)
            and pattern != NOWHERE
            and not any(fnmatchcase(name, pattern) for name in known)
        )

    def answers(self, site: Site, law: Law) -> _Values:
        """All answers that are tried at a site, the benign one first; one is no choice.

        A law that is certain of no fault is tried all the same: a lossless link is one on which
        nothing has been lost yet.

        Raises:
            BadInput: the law does not allow an answer of the grid.
        """
        benign = law.benign
        others: Iterable[int] = law.grid
        for pattern, grid in self.grids.items():
            if fnmatchcase(site.name, pattern):
                others = grid
                break
        else:
            if law.certain and law.allows(1) and site.fault_class not in ("delay", "choice"):
                others = (1,) if benign == 0 else ()
        for value in others:
            if not law.allows(value):
                raise BadInput(f"{law} does not allow", f"scope.grids, {site.name}", value)
        return tuple(dict.fromkeys((benign, *others)))

    def ties(self) -> bool:
        """Whether ties are among the sites: who goes first of those due at one instant."""
        all_left_out = f"{NOT}{TIE_SITES}*" in self.sites
        return not all_left_out and any(
            pattern.startswith((TIE_SITES, "*", "?", "[")) for pattern in self.sites
        )

    def __str__(self) -> str:
        """One line for each thing that is bounded."""
        told = [f"sites: {', '.join(self.sites)}"]
        if self.opens is not None:
            kind, times = self.opens
            told.append(f"open from {kind}" + (f" #{times}" if times > 1 else ""))
        bounds = [f"at most {most} of class {name}" for name, most in self.budgets.items()]
        if self.deviations is not None:
            bounds.append(f"at most {self.deviations} deviations in all")
        told.append(f"budgets: {', '.join(bounds) or 'none'}")
        for pattern, grid in self.grids.items():
            told.append(f"answers at {pattern}: {', '.join(map(str, grid))}")
        return "\n".join(told)


class Window:
    """Whether the sites of a scope are open: from `scope.opens` on, until the world is healed.

    A run's `observers()` must be told of its entries, or a scope that opens late never does.
    """

    __slots__ = ("_first", "_kind", "_missing", "closed", "ever", "open")

    def __init__(self, scope: Scope) -> None:
        self._kind, self._first = scope.opens or ("", 0)
        self.ever = not self._first  # In any run.
        self.start()

    def start(self) -> None:
        """A run begins."""
        self._missing = self._first
        self.open = not self._first
        self.closed = False

    def observers(self) -> list[Observing]:
        """For the run: what opens the sites."""
        return [(self._kind, self._one_more)] if self._kind else []

    def _one_more(self, _: object) -> None:
        self._missing -= 1
        if not self._missing:
            self.open = self.ever = True

    def close(self) -> None:
        """For the rest of the run."""
        self.open = False
        self.closed = True
        self._missing = 0


__all__ = ["NOWHERE", "Observing", "Scope", "Window"]
