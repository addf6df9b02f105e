"""How much more probable a run is under the law than under the portfolio that drew it.

A run drawn by proposals which make rare faults frequent still tells of the law, if it counts with
this weight: the mean of the weights of the runs that fail is the probability of the failure.

1. Every run is reckoned under all proposals, not only the one that drew it (the balance heuristic:
   Veach and Guibas, SIGGRAPH 1995). The law is one of them, so that no weight exceeds 1 over its
   share (Hesterberg, Technometrics 37 (1995) 185).
2. Nothing that a proposal decides before the run is left in the sum: where deviations stand, and
   which sites a swarm has chosen, is summed over. What is left out would come back as runs of
   great weight which nobody sees.
3. All but the faults that laws leave open (flags: loss, duplicate, crash, pause) is drawn by the
   law under every proposal, and cancels.
"""

import math
from collections.abc import Mapping, Sequence

from simulator.chance.placing import Placing
from simulator.chance.witness import Choice

LAW, SWARM, SPARSE = "law", "swarm", "sparse"

_Logs = list[float]


class Likelihood:
    """Of one run, fed flag by flag.

    Args:
        shares: how probable each proposal is.
        rates: at which a swarm's chosen sites fail, each as probable as any other.
        counts: how many deviations a sparse run has, each as probable as any other.
        class_share, site_share: of a swarm, the share of classes, and in these of sites, chosen.
    """

    def __init__(
        self,
        shares: Mapping[str, float],
        placing: Placing,
        *,
        rates: Sequence[float],
        counts: Sequence[int],
        class_share: float,
        site_share: float,
    ) -> None:
        self._shares = shares
        self._placing = placing
        self._rates = rates
        self._counts = counts
        self._class_share = class_share
        self._site_share = site_share
        self._benign = 0.0  # log of 1 / (the law's probability that nothing else went wrong)
        self._seen: dict[Choice, float] = {}
        self._asked: dict[str, int] = {}
        # By class and site: for each rate log(chosen / law), and at last log(not chosen / law).
        self._swarm: dict[str, dict[str, _Logs]] = {}

    def flag(self, fault_class: str, choice: Choice, p: float, *, happened: bool) -> None:
        """A flag of probability `p` under the law has been drawn."""
        name, k = choice
        self._asked[name] = k + 1
        of_class = self._swarm.setdefault(fault_class, {})
        logs = of_class.get(name)
        if logs is None:
            logs = of_class[name] = [0.0] * (len(self._rates) + 1)
        if happened:
            self._seen[choice] = -math.log(p)
            for i, rate in enumerate(self._rates):
                logs[i] += math.log(rate / p)
            logs[-1] = -math.inf
        else:
            none = -math.log1p(-p)
            self._benign += none
            for i, rate in enumerate(self._rates):
                logs[i] += math.log1p(-rate) + none
            logs[-1] += none

    @property
    def log_ratio(self) -> float:
        """The log of law over portfolio, for the run so far."""
        terms = []
        for proposal, share in self._shares.items():
            if share > 0:
                terms.append(math.log(share) + self._over_law(proposal))
        return -_log_sum(terms)

    def _over_law(self, proposal: str) -> float:
        """The log of a proposal's probability of the run over the law's."""
        if proposal == SWARM:
            return self._swarm_over_law()
        if proposal == SPARSE:
            found = math.fsum(
                self._placing.probability_of_all(self._seen, self._asked, count)
                for count in self._counts
            ) / len(self._counts)
            if found <= 0.0:
                return -math.inf
            return math.log(found) + self._benign + math.fsum(self._seen.values())
        assert proposal == LAW, f"no ratio for {proposal}"
        return 0.0

    def _swarm_over_law(self) -> float:
        terms = []
        site_in, site_out = math.log(self._site_share), math.log1p(-self._site_share)
        in_, out = math.log(self._class_share), math.log1p(-self._class_share)
        for i in range(len(self._rates)):
            total = -math.log(len(self._rates))
            for sites in self._swarm.values():
                chosen = math.fsum(
                    _log_sum((site_in + logs[i], site_out + logs[-1])) for logs in sites.values()
                )
                left = sum(logs[-1] for logs in sites.values())  # It may be infinite.
                total += _log_sum((in_ + chosen, out + left))
            terms.append(total)
        return _log_sum(terms)


def _log_sum(logs: Sequence[float]) -> float:
    """The log of the sum of the exponentials."""
    most = max(logs, default=-math.inf)
    if most == -math.inf:
        return -math.inf
    return most + math.log(math.fsum(math.exp(one - most) for one in logs))
