"""A world of a few lines, for testing studies: what a run leaves follows from its factors and seed.

Of ten events each is lost with the chance of a crash, unless the sink is a careful one. Everything
stands at the top of a module, so that it can be sent to a worker.
"""

from simulator.stats.bootstrap import SplitMix64
from simulator.study.experiment import Experiment, Promise
from simulator.study.measures import flag, number, ratio, samples, share
from simulator.study.replicate import Observed

EVENTS = 10


def scenario(factors, seed):
    return {**factors, "seed": seed}


def run(planned, seed, checks):
    """One draw an event whatever the sink: so the sinks share their accidents."""
    assert planned["seed"] == seed
    generator = SplitMix64(seed)
    struck = [generator.unit() < planned["crash"] for _ in range(EVENTS)]
    latencies = [1_000 + generator.below(50_000) for _ in range(EVENTS)]
    lost = 0 if planned["sink"] == "careful" else sum(struck)
    left = {"lost": lost, "latencies": latencies, "sent": EVENTS + sum(struck)}
    verdicts = {
        "nothing_lost": "broken" if lost else "kept",
        "crashed_at_all": "kept" if any(struck) else "cannot tell",
    }
    return Observed(left, verdicts, f"crash@sink-0/after_process#{seed}=1")


def lost_of(left):
    return left["lost"], EVENTS


def lost_any(left):
    return left["lost"] > 0


def sent(left):
    return left["sent"], EVENTS


def sent_count(left):
    return left["sent"] if left["sent"] % 2 else None


def latencies(left):
    return left["latencies"]


def fake(**changed):
    declared = {
        "name": "fake",
        "question": "Does a careful sink lose less?",
        "scenario": scenario,
        "factors": {"sink": ["naive", "careful"], "crash": [0.0, 0.2]},
        "measures": {
            "lost": share(lost_of),
            "any lost": flag(lost_any),
            "sends": ratio(sent, unit="requests"),
            "odd sends": number(sent_count),
            "latency": samples(latencies, quantiles=(0.5, 0.999)),
        },
        "checks": ("nothing_lost", "crashed_at_all"),
        "promises": (
            Promise("nothing_lost", "kept", where={"sink": "careful"}),
            Promise("nothing_lost", "kept", where={"sink": "naive", "crash": "0.0"}),
            Promise("nothing_lost", "broken", where={"sink": "naive", "crash": "0.2"}),
        ),
        "runs": 40,
        "baseline": {"sink": "naive"},
    }
    return Experiment(**{**declared, **changed})


EXPERIMENT = fake()


def double(item):
    return 2 * item


def fails_at_seven(item):
    if item >= 7:
        raise ValueError(f"no {item}")
    return item


def dies_at_seven(item):
    if item == 7:
        import os

        os._exit(3)
    return item


def fails_badly(planned, seed, checks):
    if seed == 7:
        raise KeyError("no such broker")
    return run(planned, seed, checks)


def build(events):
    return fake(name="built", runs=events)
