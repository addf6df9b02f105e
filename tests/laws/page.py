"""The page of all laws, written from what the tests of them find."""

from tests.laws.catalogue import FAMILIES, LAWS, SIZES, TITLES, UNTOLD
from tests.laws.law import Law, Outcome, Rule, breaks, keeps

HEAD = """\
<!-- Written by docs/generate.py from tests/laws: change it there. -->

# Laws of the patterns

What each pattern promises, as a law that is tested. A right variant keeps its law in every run, and
the page says how many runs (or drawn cases) that were, and in how many of them the situation which
the law speaks of came to pass. A twin differs from a right variant in one function or argument, and
breaks the law; the page tells its smallest failure, with the fewest faults, and the choices of
chance that replay it. `python -m pytest tests/laws -s` prints the same.

"""


def row(outcome: Outcome) -> str:
    """One variant, as a row."""
    if outcome.kept:
        return f"| {_cell(outcome.variant)} | kept | {outcome.reached} of {outcome.tried} |"
    faults = "" if outcome.faults is None else _counted(outcome.faults)
    witness = f" `{outcome.witness}`" if outcome.witness else ""
    return f"| {_cell(outcome.variant)} | broken | {faults}{_cell(outcome.story)}{_cell(witness)} |"


def told(law: Law | Rule, outcome: Outcome) -> str:
    """What must stand on the page; of a rule less, as what Hypothesis draws is its own matter."""
    whole = row(outcome)
    return whole if isinstance(law, Law) else " | ".join(whole.split(" | ")[:2]) + " |"


def _counted(faults: int) -> str:
    return {0: "no fault: ", 1: "1 fault: "}.get(faults, f"{faults} faults: ")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def page() -> str:
    """All laws, family by family."""
    parts = [HEAD, _counts()]
    letters = iter(SIZES)
    for family in FAMILIES:
        letter = next(letters)
        parts.append(f"\n## {TITLES[family]}\n")
        parts += [_section(law) for law in LAWS if law.name.startswith(letter)]
    if UNTOLD:
        parts.append("\n## Not expressed\n\n")
        parts += [f"- {name}: {why}\n" for name, why in UNTOLD.items()]
    return "".join(parts)


def _counts() -> str:
    twins = sum(len(law.twins) for law in LAWS)
    right = sum(len(law.right) for law in LAWS)
    return f"{len(LAWS)} laws, {right} right variants, {twins} twins.\n"


def _section(law: Law | Rule) -> str:
    told = [keeps(law, variant) for variant in law.right]
    told += [breaks(law, variant) for variant in law.twins]
    rows = "\n".join(row(outcome) for outcome in told)
    aside = f"{law.aside}\n\n" if law.aside else ""
    table = "| variant | law | reached in, or smallest failure |\n|---|---|---|\n"
    return f"\n### {law.name}\n\n{law.says}\n\n{aside}{table}{rows}\n"
