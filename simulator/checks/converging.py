"""Do replicas hold the same log in the end, whatever was lost on the way?

replicas_converge  when all has come to rest, two replicas hold the same below the lower of their
                   high watermarks

A replica that comes back from a failure may for a moment believe in what is no more: it has not
heard yet that its leader holds something else. `replicas_agree` counts that; this check asks
whether it has passed. What was lost for everybody, committed_is_kept names.

Not modelled: transaction markers (no entry tells of their offsets); what a cleaner took of one
replica and not yet of the other is taken to be the same.
"""

from itertools import combinations

from simulator.checks.check import Check, Watching
from simulator.checks.ending import Ending
from simulator.checks.replicas import Replica, Replicas
from simulator.checks.sentences import at
from simulator.checks.verdict import Cases, Verdict

NAME = "replicas_converge"


def _replicas_converge() -> Watching:
    ending = Ending()
    replicas = Replicas(lambda _where, _mine, _first, _end, _seq: None)

    def finish() -> Verdict:
        cases, compared = Cases(), 0
        for where in replicas.places():
            up = [one for one in replicas.of(where).values() if one.up]
            for one, two in combinations(sorted(up, key=_name), 2):
                first = max(one.start, two.start)
                end = min(one.end, two.end, one.high_watermark, two.high_watermark)
                compared += max(0, end - first)
                for offset in range(first, end):
                    left, right = one.event_at(offset), two.event_at(offset)
                    if left != right and left is not None and right is not None:
                        said = f"{at(*where, offset)} is {left} on {one.node}, and {right} on"
                        entries = (one.seq_at(offset), two.seq_at(offset))
                        cases.add(f"{said} {two.node} at last", entries, (left, right))
        return cases.verdict(NAME, compared, open_because=ending.open_because)

    return Watching({**replicas.observers(), **ending.observers()}, finish)


def _name(replica: Replica) -> str:
    return replica.node


replicas_converge = Check(
    NAME,
    "In the end replicas hold the same records below their high watermarks.",
    _replicas_converge,
)
