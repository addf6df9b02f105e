"""What a bank promises, as a check: nothing is added that was not taken, and what is taken arrives.

Balances are rows of `balance` in either store; a transfer's id is that of the event that moved it,
up to the first stroke: `t-1`, `t-1/debited`.
"""

from typing import Any

from simulator import Cases, Check, Verdict, Watching


def _money() -> Watching:
    balances: dict[tuple[str, str], int] = {}
    in_flight: dict[str, int] = {}
    since: dict[str, int] = {}
    cases, reason = Cases(), ""

    def on_applied(entry: Any) -> None:
        _, table, account, value, event_id = entry[4]
        if table != "balance":
            return
        key = (entry[2], account)  # A store, and an account in it.
        moved, name = value - balances.get(key, 0), event_id.partition("/")[0]
        balances[key] = value
        in_flight[name] = in_flight.get(name, 0) - moved
        since[name] = entry[0]
        if in_flight[name] < 0:
            said = f"{-in_flight[name]} cents of {name} were added that nobody had given"
            cases.add(said, (entry[0],), (event_id,))

    def on_ended(entry: Any) -> None:
        nonlocal reason
        reason = entry[4][1]

    def finish() -> Verdict:
        cut = "" if reason == "quiet" else f"the run was cut ({reason or 'no end'})"
        if cut and cases.count:  # What was added is sure, however the run ended.
            return cases.verdict("money_is_conserved", len(in_flight))
        for name, cents in in_flight.items():
            if cents > 0:
                cases.add(f"{cents} cents of {name} never arrived", (since[name],), (name,))
        return cases.verdict("money_is_conserved", len(in_flight), open_because=cut)

    return Watching({"effect_applied": on_applied, "run_ended": on_ended}, finish)


money_is_conserved = Check(
    "money_is_conserved",
    "Nothing is added that was not taken before; and what is taken arrives.",
    _money,
)
