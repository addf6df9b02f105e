"""Who answers when a run asks for chance: the one door, and all who may stand behind it.

1. The one primitive is `source(site, law)`: a function that gives the site's next answer. The
   k-th asking at a site is `(site name, k)` for the whole run, however often its source is taken.
2. A certain law draws nothing, and stands in no atlas and no witness. Yet a plan that names the
   site is obeyed: a planned loss on a lossless link is a loss.
3. A chooser serves one run at a time: `start()` makes it as new, so that the same chooser gives
   the same run again.

    Zero       nothing happens by chance
    Seeded     natural chance
    Tape       bytes, as a fuzzer gives them
    Recording  another chooser, and the witness of what it answered
    Forbidden  for observers: looking must not change the run

Sparse, Replay and Overlay, which answer from a witness, stand in plans.py.
"""

from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import chain, repeat
from struct import Struct
from typing import Protocol

from simulator.chance.laws import Bernoulli, Delay, Law, Pick
from simulator.chance.sites import Site
from simulator.chance.witness import Choice
from simulator.errors import BadInput

Source = Callable[[], int]


class Chooser(Protocol):
    """All that a run knows of chance."""

    def source(self, site: Site, law: Law) -> Source:
        """A function that gives the site's next answer under the law."""
        ...

    def describe(self) -> str:
        """What to write in order to have the same chance again, such as `seed 7`."""
        ...

    def mentions(self, name: str) -> bool:  # noqa: ARG002
        """Whether a plan names the site: if not, a certain law's source need not be taken."""
        return False

    def start(self) -> None:
        """A run begins: forget the one before."""
        return None  # noqa: RET501 - An empty body would be an abstract one.

    def finish(self) -> None:
        """The run has ended: say so if it did not ask what it had to ask."""
        return None  # noqa: RET501

    def heal(self) -> None:
        """The world has been healed: from here on, who makes faults on purpose makes none.

        Each world says so once, when its hazards end; it then asks for no fault by law any more,
        and what a plan names still happens.
        """
        return None  # noqa: RET501

    def breaks_ties(self) -> bool:
        """Whether to ask, at sites `tie@...`, who goes first of those who are due at one instant.

        By default nobody is asked, and the first come goes first.
        """
        return False

    def flag(self, site: Site, law: Bernoulli) -> bool:
        """Whether it happens, this once; who asks often keeps the source."""
        return self.source(site, law)() != 0

    def pick(self, site: Site, n: int) -> int:
        """One of 0 .. n-1, this once."""
        return self.source(site, Pick(n))()

    def ticks(self, site: Site, law: Delay) -> int:
        """Microseconds above the law's floor, this once."""
        return self.source(site, law)()


def never() -> int:
    """The source of a law whose one outcome is 0: who holds it need not even call it."""
    return 0


def benign_source(law: Law) -> Source:
    """The source of a law when chance is left out: `never`, or a certain law's one outcome."""
    benign = law.benign
    return repeat(benign).__next__ if benign else never


class Zero(Chooser):
    """Nothing happens by chance: no fault, first come first served, as fast as possible."""

    def __init__(self) -> None:  # Protocol's own shows another signature once it has been called.
        pass

    def source(self, site: Site, law: Law) -> Source:  # noqa: ARG002
        """0, or the one outcome of a certain law."""
        return benign_source(law)

    def describe(self) -> str:
        """Zero."""
        return "zero"


# --- Natural chance --------------------------------------------------------------------------

_BLOCK = Struct("<8Q")  # The 64 bytes of a digest are eight words of 64 bits.


def _blocks(key: bytes) -> Iterator[tuple[int, ...]]:
    number = 0
    while True:
        yield _BLOCK.unpack(blake2b(key + number.to_bytes(8, "little")).digest())
        number += 1


class Seeded(Chooser):
    """Natural chance: the k-th word at a site is a function of seed, site name and k alone.

    So nothing that is asked elsewhere, before or in between, moves a site's answers: two variants
    of a system under one seed meet the same chance wherever they ask the same (common random
    numbers). The words are BLAKE2b in counter mode, the same on every machine.

    Args:
        seed: a whole number from 0.
    """

    def __init__(self, seed: int) -> None:
        if type(seed) is not int or seed < 0:
            raise BadInput(
                "must be a whole number from 0" + (": None" if seed is None else ":"), "seed", seed
            )
        self.seed = seed
        self._words: dict[str, Iterator[int]] = {}

    def source(self, site: Site, law: Law) -> Source:
        """The law's answers for the site's words; nothing is drawn for a certain law."""
        if law.certain:
            return benign_source(law)
        words = self._words.get(site.name)
        if words is None:
            text = f"{self.seed}\n{site.name}".encode()
            words = chain.from_iterable(_blocks(blake2b(text, digest_size=32).digest()))
            self._words[site.name] = words
        return law.draws(words).__next__

    def describe(self) -> str:
        """Seed 7."""
        return f"seed {self.seed}"

    def start(self) -> None:
        """All sites begin with their first word."""
        self._words = {}


class Tape(Chooser):
    """One byte a choice, in the order of asking; after the last byte all is benign.

    Each byte is read by the law's own distribution, 0 as 0: so a fuzzer that makes bytes smaller,
    or fewer, makes the run more benign.
    """

    def __init__(self, tape: bytes) -> None:
        if not isinstance(tape, bytes):
            raise BadInput(f"must be bytes, not {type(tape).__name__}", "tape")
        self.tape = tape
        self._bytes = chain(tape, repeat(0))

    def source(self, site: Site, law: Law) -> Source:  # noqa: ARG002
        """What the law reads in the next byte."""
        if law.certain:
            return benign_source(law)
        from_byte = law.from_byte
        return lambda: from_byte(next(self._bytes))

    def describe(self) -> str:
        """Tape 00ff12."""
        return f"tape {self.tape.hex()}"

    def start(self) -> None:
        """The tape begins again."""
        self._bytes = chain(self.tape, repeat(0))


# --- Watching --------------------------------------------------------------------------------


class Recording(Chooser):
    """The inner chooser, and the witness of its answers that were not benign.

    Attributes:
        witness: so far; `Replay(witness)` gives the same run.
    """

    def __init__(self, inner: Chooser) -> None:
        self.inner = inner
        self.witness: dict[Choice, int] = {}
        self._asked: dict[str, list[int]] = {}

    def source(self, site: Site, law: Law) -> Source:
        """The inner chooser's answers."""
        answer = self.inner.source(site, law)
        asked = self._asked.setdefault(site.name, [0])
        name, benign, witness = site.name, law.benign, self.witness

        def draw() -> int:
            k = asked[0]
            asked[0] = k + 1
            value = answer()
            if value != benign:
                witness[name, k] = value
            return value

        return draw

    def describe(self) -> str:
        """As the inner chooser: to record changes nothing."""
        return self.inner.describe()

    def mentions(self, name: str) -> bool:
        """As the inner chooser."""
        return self.inner.mentions(name)

    def start(self) -> None:
        """Nothing has been recorded."""
        self.inner.start()
        self.witness = {}
        self._asked = {}

    def finish(self) -> None:
        """As the inner chooser."""
        self.inner.finish()

    def heal(self) -> None:
        """As the inner chooser."""
        self.inner.heal()

    def breaks_ties(self) -> bool:
        """As the inner chooser."""
        return self.inner.breaks_ties()


class Forbidden(Chooser):
    """For observers and checks: whoever looks must not draw, or looking would change the run."""

    def __init__(self) -> None:  # Protocol's own shows another signature once it has been called.
        pass

    def source(self, site: Site, law: Law) -> Source:  # noqa: ARG002
        """None.

        Raises:
            BadInput: always.
        """
        raise BadInput("observers may not draw:", "chance", site.name, "they only look")

    def describe(self) -> str:
        """Forbidden."""
        return "forbidden"
