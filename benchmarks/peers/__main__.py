"""The command: `python -m benchmarks.peers --mock PYTHON --happysim PYTHON ...`.

1. In each turn everyone runs, one after the other, and ours before and after each peer: its ratio
   of the turn is the peer's seconds over the mean of ours. What is printed is the median of turns.
2. Simulators are measured by the CPU time of their process. The mock waits in real time, on
   threads of its own, so it is measured by the wall clock: that is what one waits for it.
3. Event stores are measured by the event, and simulators by the run of the crash scenario: there
   ours is judged by the checks that `benchmarks.crash` names; peers judge nothing.
"""

import argparse
import gc
import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import attrs

from benchmarks import crash, event_sourcing

HERE = Path(__file__).parent
NEEDS = {
    "mock": "confluent-kafka",
    "happysim": "happysim (Python >= 3.13)",
    "eventsourcing": "eventsourcing",
}
OURS = 60  # Runs in one measurement.
EVENTS = 10_000


def ours() -> float:
    """The CPU seconds of one of our runs."""
    handled: list[str] = []
    whole, seeds = crash.scenario(handled.append), count()
    crash.once(whole, handled, next(seeds))
    gc.collect()
    began = time.process_time()
    for _ in range(OURS):
        crash.once(whole, handled, next(seeds))
    return (time.process_time() - began) / OURS


@attrs.frozen
class Peer:
    """One whom we are measured against.

    Args:
        script: what its Python runs, and with which arguments.
        target: so many of its runs should we do in the time of one.
        what: how it is configured.
        ours: our seconds for the same.
    """

    name: str
    script: tuple[str, ...]
    target: float
    what: str
    ours: Callable[[], float] = ours


def account(name: str, costs: Callable[[int], Callable[[], float]]) -> Peer:
    """One thing to do with an account of the eventsourcing package, and of ours."""
    return Peer(
        f"account, {name}",
        ("eventsourcing_popo.py", name, str(EVENTS)),
        10,
        "its recorder in memory (popo), by the event; it serialises events, we keep them",
        costs(EVENTS),
    )


PEERS = {
    "mock": (
        Peer(
            "mock, leaves",
            ("librdkafka_mock.py", "leave", "2"),
            300,
            "real client on librdkafka's mock, tuned by its C API: rebalance delay 50 ms, "
            "heartbeat 50 ms, session 1.1 s; instance 0 closes in order",
        ),
        Peer(
            "mock, stalls",
            ("librdkafka_mock.py", "stall", "1"),
            300,
            "the same; instance 0 stops polling, evicted after max.poll.interval.ms=1100",
        ),
    ),
    "happysim": (
        Peer(
            "happysim",
            ("happysim_group.py", "40"),
            2,
            "its EventLog and ConsumerGroup, polls of 10, commit of each record, constant delays; "
            "instance 0 leaves, for it has no eviction",
        ),
    ),
    "eventsourcing": (
        account("append", event_sourcing.append_costs),
        account("batch", event_sourcing.batch_costs),
        account("replay", event_sourcing.replay_costs),
    ),
}


def theirs(python: str, peer: Peer) -> float:
    """The seconds of one of a peer's runs.

    Raises:
        RuntimeError: it cannot run, or does not handle all.
    """
    script, *arguments = peer.script
    command = [python, "-W", "ignore", str(HERE / script), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
        said = json.loads(done.stdout.splitlines()[-1])
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "nothing").strip().splitlines()[-1]
        raise RuntimeError(f"{peer.name} cannot run: {last}") from None
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError) as error:
        raise RuntimeError(f"{peer.name} cannot run: {error}") from None
    if not said["complete"]:
        raise RuntimeError(f"{peer.name} did not handle every message")
    return float(said["seconds"])


def turn(python: str, peer: Peer) -> tuple[float, float]:
    """Our seconds and theirs, measured together."""
    before = peer.ours()
    seconds = theirs(python, peer)
    return (before + peer.ours()) / 2, seconds


def report(peer: Peer, rows: Sequence[tuple[float, float]]) -> str:
    """A peer's line, and how it is configured."""
    ratios = [theirs / ours for ours, theirs in rows]
    own, other = (statistics.median(row[side] * 1_000 for row in rows) for side in (0, 1))  # ms
    spread = f"{min(ratios):.3g} .. {max(ratios):.3g}"
    return (
        f"{peer.name:<16}{own:>9.3g}{other:>11.3g}{statistics.median(ratios):>9.3g}"
        f"  >= {peer.target:<6g}{spread:<19}\n    {peer.what}"
    )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description="Side by side with what one would take else."
    )
    for name, needs in NEEDS.items():
        parser.add_argument(f"--{name}", metavar="PYTHON", help=f"a Python that has {needs}")
    parser.add_argument("--turns", type=int, default=5, help="how often (default 5)")
    options = parser.parse_args(arguments)
    if options.turns < 1:
        parser.error(f"--turns must be at least 1, not {options.turns}")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all who are here, in turns; 1 if one was asked for and cannot run."""
    options = parse(arguments)
    print(f"ours: Python {platform.python_version()}; {crash.CONFIGURATION}")
    print(f"{'peer':<16}{'ours, ms':>9}{'theirs, ms':>11}{'ratio':>9}  {'target':<9}least .. most")
    here = []
    for name, peers in PEERS.items():
        python = getattr(options, name)
        if python is None:
            print(f"{name:<16}absent: give --{name} PYTHON")
        here += [(peer, partial(turn, python, peer)) for peer in peers if python is not None]
    rows: dict[str, list[tuple[float, float]]] = {peer.name: [] for peer, _ in here}
    wrong: dict[str, str] = {}
    for _ in range(options.turns):
        for peer, measured in here:
            try:
                rows[peer.name].append(measured())
            except RuntimeError as error:
                wrong[peer.name] = str(error)
    for peer, _ in here:
        if rows[peer.name]:
            print(report(peer, rows[peer.name]), flush=True)
        if peer.name in wrong:
            print(f"{peer.name:<16}{wrong[peer.name]}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
