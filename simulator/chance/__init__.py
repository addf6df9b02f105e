"""The one door for everything that is not determined.

    sites      where chance is asked: stable names, each with its class of fault
    laws       how probable each answer is: Bernoulli, Pick, and the laws of delays
    delays     constant, uniform, exponential, lognormal, empirical
    drawn      what all laws share
    tables     the integer tables behind the continuous laws
    witness    which choices were not the benign ones, as data and as one line of text
    choosers   who answers: Zero, Seeded, Tape, Recording, Forbidden
    plans      who answers from what was written down: Sparse, Replay, Overlay
    portfolio  who answers otherwise each run: by the law, in swarms, sparsely, by priorities
    prefix     the beginning of a witness, then anybody: Prefix
    priorities ties by priorities: Priorities
    healing    no more faults once the world is healed: Healing
    atlas      where runs have met chance; placing: where deviations stand
    likelihood how probable a portfolio's run is under the law
    dice       numbers for what is decided before a run
    scope      which choices a search makes, and how many: Scope
    exhaustive every schedule of a scope, one run each: Exhaustive
    within     a scope that is searched in the order of its faults

0 is always the benign answer: no fault, first come first served, as fast as possible. A law with
one outcome is certain: nothing is drawn for it. A choice is `(site name, k)`, the k-th time
that the run asked at the site, and keeps that name when the rest of the run changes.
"""

from simulator.chance.choosers import (
    Chooser,
    Forbidden,
    Recording,
    Seeded,
    Source,
    Tape,
    Zero,
    never,
)
from simulator.chance.laws import (
    Bernoulli,
    Constant,
    Copies,
    Delay,
    Empirical,
    Exponential,
    Law,
    Lognormal,
    Pick,
    Uniform,
    constant,
    empirical,
    exponential,
    lognormal,
    uniform,
)
from simulator.chance.plans import Overlay, Replay, Sparse
from simulator.chance.sites import (
    CHOICE,
    CRASH,
    DELAY,
    DISK,
    DROP,
    DUPLICATE,
    FAULT_CLASSES,
    PAUSE,
    SKEW,
    TIE,
    Site,
)
from simulator.chance.witness import Witness, format_witness, parse_witness

__all__ = [
    "CHOICE",
    "CRASH",
    "DELAY",
    "DISK",
    "DROP",
    "DUPLICATE",
    "FAULT_CLASSES",
    "PAUSE",
    "SKEW",
    "TIE",
    "Bernoulli",
    "Chooser",
    "Constant",
    "Copies",
    "Delay",
    "Empirical",
    "Exponential",
    "Forbidden",
    "Law",
    "Lognormal",
    "Overlay",
    "Pick",
    "Recording",
    "Replay",
    "Seeded",
    "Site",
    "Source",
    "Sparse",
    "Tape",
    "Uniform",
    "Witness",
    "Zero",
    "constant",
    "empirical",
    "exponential",
    "format_witness",
    "lognormal",
    "never",
    "parse_witness",
    "uniform",
]
