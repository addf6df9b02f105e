"""Does a run come to rest? With its faults over, all is sent, read and committed in time.

`drained` says what is missing once nothing more happens; this says that something goes on for
ever, or for longer than the scenario's horizon allows. So it is judged in every run that ends.
"""

from simulator.checks.check import Check, Watching
from simulator.checks.verdict import Cases, Verdict
from simulator.trace.trace import FlatEntry


def _comes_to_rest() -> Watching:
    cases = Cases()
    healed = [-1]
    ended = [0]

    def on_healed(entry: FlatEntry) -> None:
        healed[0] = entry[1]

    def on_ended(entry: FlatEntry) -> None:
        ended[0] += 1
        if entry[4][1] != "quiet" and healed[0] >= 0:
            for_ms = (entry[1] - healed[0]) // 1_000
            said = f"{for_ms} ms after the last fault something was still to be done"
            cases.add(said, (entry[0],))

    def finish() -> Verdict:
        return cases.verdict("comes_to_rest", ended[0])

    return Watching({"faults_ended": on_healed, "run_ended": on_ended}, finish)


comes_to_rest = Check(
    "comes_to_rest",
    "Once faults are over, all is sent, read and committed within the scenario's horizon.",
    _comes_to_rest,
)

__all__ = ["comes_to_rest"]
