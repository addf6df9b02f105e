"""A scenario's file is read strictly, all its problems are told at once, and it is written back."""

import tomllib
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.chance.laws import (
    Delay,
    constant,
    empirical,
    exponential,
    lognormal,
    uniform,
)
from simulator.errors import BadInput
from simulator.scenario import faults, guarantee, scenario, topology, workload
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.toml import dumps, load, loads
from simulator.scenario.toml_text import FUNCTIONS, KINDS, LAWS
from simulator.scenario.topology import Link, Topic, Topology
from simulator.scenario.workload import WorkItem, Workload

EXAMPLE = Path(__file__).parents[2] / "docs" / "scenario.toml"


# --- Round trip ----------------------------------------------------------------------------

names = st.text("abz09._-", min_size=1, max_size=6).filter(lambda name: name.strip("."))
globs = names | st.sampled_from(["*", "broker-?", "billing-[01]"])
counts = st.integers(0, 9)
times_us = st.integers(0, 10**7)
probabilities = st.floats(0, 1) | st.sampled_from([0, 1])
delays = (
    st.builds(constant, times_us)
    | st.builds(lambda low, more: uniform(low, low + more), times_us, times_us)
    | st.builds(exponential, times_us, times_us)
    | st.builds(lognormal, times_us, st.floats(0, 3), times_us)
    | st.builds(empirical, st.lists(times_us, min_size=1, max_size=4))
)
settings = st.dictionaries(
    st.text(min_size=1, max_size=5),
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    max_size=3,
)  # fmt: skip
messages = st.sampled_from(["ProduceRequest", "FetchResponse"])
rates = st.floats(0.001, 1_000) | st.integers(1, 99)


def of(cls, **fields):
    return st.builds(cls, **fields)


def message_fault(cls, **fields):
    return of(cls, source=names, target=names, message=messages, nth=counts, **fields)


def lasting(cls, **fields):
    made = st.tuples(st.integers(0, 99), st.integers(1, 99))
    return st.builds(
        lambda times, others: cls(from_ms=times[0], until_ms=sum(times), **others),
        made,
        st.fixed_dictionaries(fields),
    )


sides = st.lists(globs, min_size=1, max_size=2).map(tuple)
modes = st.sampled_from(faults.MODES)
single_faults = st.one_of(
    message_fault(faults.Drop),
    message_fault(faults.Duplicate, later_ms=counts),
    message_fault(faults.Delay, extra_ms=counts),
    of(faults.Crash, node=names, point=st.sampled_from(faults.POINTS), nth=counts, mode=modes),
    of(faults.Crash, node=names, at_ms=counts, down_ms=counts, mode=modes),
    of(faults.Pause, node=names, at_ms=counts, for_ms=st.integers(1, 9)),
    of(faults.Skew, node=names, at_ms=counts, jump_ms=st.integers(-9, 9), drift_ppm=counts),
    of(faults.DiskLoss, node=names, at_ms=counts, down_ms=counts),
    lasting(faults.Partition, side_a=sides, side_b=sides, symmetric=st.booleans()),
    lasting(faults.Clog, source=globs, target=globs),
)
arrivals = st.one_of(
    of(workload.Steady, per_s=rates),
    of(workload.Poisson, per_s=rates),
    of(workload.Bursts, size=st.integers(1, 9), every_ms=st.integers(1, 9)),
)
keys = st.one_of(
    of(workload.UniformKeys, n=st.integers(1, 9)),
    of(workload.SkewedKeys, n=st.integers(1, 9), exponent=rates),
    of(workload.HotKey, n=st.integers(1, 9), share=probabilities),
    of(workload.NoKeys),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)


@st.composite
def scenarios(draw):
    topics = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    brokers = draw(st.integers(1, 4))
    gaps = draw(st.lists(st.tuples(counts, st.sampled_from(topics), st.none() | texts, texts)))
    items, at_us = [], 0
    for number, (gap, topic, key, value) in enumerate(gaps):
        at_us += gap
        items.append(WorkItem(at_us, topic, key, value, f"id {number}"))
    own = st.builds(
        guarantee.Guarantee,
        name=names,
        producer=settings,
        commit=st.sampled_from(guarantee.COMMITS),
        sink=st.sampled_from(guarantee.SINKS),
        promises=st.lists(st.sampled_from(guarantee.PROMISES), unique=True).map(tuple),
        fault_classes=st.lists(st.sampled_from(guarantee.FAULT_CLASSES), unique=True).map(tuple),
    )
    links = of(
        Link,
        source=globs,
        target=globs,
        latency=delays,
        loss=probabilities,
        duplicate=probabilities,
        ordered=st.booleans(),
        messages=messages | st.just("Fetch*"),
    )
    hazard = of(
        faults.CrashHazard, node=globs, point=globs, p=probabilities, down=delays, mode=modes
    )
    pause = of(
        faults.PauseHazard,
        node=globs,
        every_ms=st.integers(1, 99),
        p=probabilities,
        lasting=delays,
    )
    return Scenario(
        name=draw(texts),
        topology=Topology(
            brokers,
            [
                Topic(name, draw(st.integers(1, 9)), draw(st.integers(1, brokers)))
                for name in topics
            ],
            draw(st.lists(links, max_size=2)),
            draw(st.just(()) | st.lists(names, min_size=brokers, max_size=brokers)),
        ),
        workload=Workload(
            topics[0], draw(counts), draw(arrivals), draw(keys), "the-producer", items
        ),
        guarantee=draw(own | st.sampled_from([*guarantee.GUARANTEES.values()])),
        consumers=Consumers("the-group", draw(counts), draw(settings), draw(delays), draw(counts)),
        faults=faults.FaultPlan(draw(st.lists(single_faults, max_size=3, unique_by=str_site))),
        hazards=faults.Hazards(
            draw(st.lists(hazard, max_size=2)), draw(st.lists(pause, max_size=2))
        ),
        broker=draw(settings),
        horizon_ms=draw(counts),
        heal_after_ms=draw(st.none() | counts),
        event_budget=draw(st.integers(1, 9)),
    )


def str_site(fault):
    """Two faults of one message or point would contradict each other."""
    found = faults.deviation(fault)
    return str(fault) if found is None else str(found[0])


@given(scenarios())
def test_what_is_written_is_read_back_and_written_the_same(made):
    text = dumps(made)
    again = loads(text)

    assert again == made
    assert dumps(again) == text


def test_the_plain_scenario_is_an_empty_file():
    assert loads("") == Scenario()


# --- The example ---------------------------------------------------------------------------


def test_the_example_is_read_and_written_back():
    made = load(EXAMPLE)

    assert loads(dumps(made)) == made
    assert made.topology.link("broker-1", "billing-0").latency == lognormal(900, 0.5, 100)
    assert made.consumers.processing == constant(5_000)
    assert made.hazards.crash[0].down == exponential(2_000_000, 100_000)
    assert made.guarantee.producer["enable.idempotence"] is False
    assert made.workload.items[1].key is None
    assert made.heal_after_ms == 20_000
    assert made.topology.racks == ("east", "west", "east")
    assert len(made.faults) == 10


def keys_of(table):
    """All keys of a table, and of those below."""
    if isinstance(table, list):
        return set().union(*map(keys_of, table)) if table else set()
    if not isinstance(table, dict):
        return set()
    return set(table).union(*map(keys_of, table.values()))


def test_the_example_shows_every_field_and_law_and_fault():
    text = EXAMPLE.read_text(encoding="utf-8")
    shown = keys_of(tomllib.loads(text))
    classes = [
        cls
        for module in (scenario, topology, workload, guarantee, faults)
        for cls in vars(module).values()
        if attrs.has(cls) and cls.__module__ == module.__name__
        and cls not in (faults.FaultPlan, *KINDS.values())
    ]  # fmt: skip
    fields = {field.name for cls in classes for field in attrs.fields(cls)}
    for cls in faults.FAULTS:
        fields |= {field.name for field in attrs.fields(cls)}

    assert fields - shown == set(FUNCTIONS)
    assert set(WorkItem._fields) <= shown
    for word in (*KINDS, *LAWS, *guarantee.GUARANTEES):
        assert f'"{word}"' in text


def test_every_law_kind_and_guarantee_has_a_word():
    assert set(LAWS.values()) == set(Delay.__args__)
    unions = (workload.Arrivals, workload.Keys, faults.Fault)
    assert set(KINDS.values()) == {cls for union in unions for cls in union.__args__}


@pytest.mark.parametrize("name", guarantee.GUARANTEES)
def test_a_guarantee_is_its_name(name):
    made = loads(f'guarantee = "{name}"')

    assert made.guarantee is guarantee.GUARANTEES[name]
    assert f'guarantee = "{name}"' in dumps(made)


# --- What is refused -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("horizon_ms = 2.7", "horizon_ms: must be a whole number: 2.7 (nothing is converted)"),
        ('horizon_ms = "3"', "horizon_ms: must be a whole number: '3' (nothing is converted)"),
        ("horizon_ms = true", "horizon_ms: must be a whole number: True (nothing is converted)"),
        ("name = 3", "name: must be text: 3 (nothing is converted)"),
        ("heal_after_ms = -1", "heal_after_ms: must be a whole number from 0: -1 "),
        ("horizont_ms = 3", "unknown field 'horizont_ms' (did you mean 'horizon_ms'?)"),
        ("application = 3", "unknown field 'application' (functions have no place in a file"),
        ("topology = 3", "topology: must be a table: 3"),
        ("faults = 3", "faults: must be an array: 3"),
        ("broker = 3", "broker: must be a mapping of settings: 3"),
        ("[broker]\na = []", "broker: the setting a cannot have the value []"),
        ("[broker]\na = nan", "broker: the setting a cannot have the value nan"),
        ("[broker]\na = 2020-01-01", "broker: the setting a cannot have the value datetime"),
        ("[[topology.links]]\nloss = nan", "topology.links[0].loss: must be a probability"),
        ("[[topology.links]]\nloss = true", "topology.links[0].loss: must be a number: True"),
        ("[[topology.links]]\nordered = 0", "topology.links[0].ordered: must be true or false: 0"),
        ("[[topology.links]]\nlatency = 3", "links[0].latency: must be a table: 3 (such as { law"),
        ("[[topology.topics]]", "topology.topics[0].name: is missing"),
        ('[workload]\ntopic = "order"', "workload.topic: is no topic: 'order' (did you mean"),
        ("[workload]\nkeys = { n = 3 }", "workload.keys: has no kind (known: uniform_keys, "),
        ('[workload]\nkeys = { kind = "drop" }', "workload.keys.kind: is no kind: 'drop'"),
        ('[workload]\nkeys = { kind = "no_keys", n = 1 }', "workload.keys: unknown field 'n'"),
        ("[workload]\nitems = [{ at = 3 }]", "items[0]: unknown field 'at' (did you mean 'at_us'"),
        ("[workload]\nitems = [{ at_us = 3 }]", "workload.items[0]: lacks the field 'topic'"),
        ("[workload]\nitems = [3]", "workload.items[0]: must be a table: 3"),
        ('guarantee = "exactly-twice"', "guarantee: is no guarantee: 'exactly-twice' (did you"),
        ("guarantee = 3", "guarantee: must be a table: 3"),
        ('[guarantee]\nname = "a"\nsink = "x"', "guarantee.sink: must be one of naive, "),
        ('[[faults]]\nkind = "crash"\nnode = "a"', "faults[0]: needs either a point or at_ms"),
        ('[[faults]]\nkind = "dorp"', "faults[0].kind: is no kind: 'dorp' (did you mean 'drop'?)"),
        ("[[faults]]\nkind = 3", "faults[0].kind: is no kind: 3"),
    ],
)  # fmt: skip
def test_a_problem_is_one_line_with_path_and_value(text, said):
    with pytest.raises(BadInput) as caught:
        loads(text, "my.toml")

    assert str(caught.value).startswith("my.toml: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("law", "said"),
    [
        ('law = "exponental", mean_us = 3', ".law: is no law: 'exponental' (did you mean 'exponen"),
        ('law = "constant", us = -4', ".us: must be whole microseconds from 0: -4"),
        ('law = "constant", us = nan', ".us: must be a whole number: nan"),
        ('law = "constant", us = 1.0', ".us: must be a whole number: 1.0"),
        ('law = "constant", ms = 1.5', ".ms: must be whole milliseconds from 0: 1.5 (give parts"),
        ('law = "constant", ms = 1, us = 3', ".ms: is given twice: 1 (leave it or us)"),
        ('law = "constant"', ".us: is missing"),
        ('law = "uniform", low_us = 3, high_us = 2', ".high_us: must not be below low_us = 3: 2"),
        ('law = "empirical", values_us = []', ".values_us: must hold at least one delay: ()"),
        ('law = "empirical", values_ms = [1, -2]', ".values_ms: must be whole milliseconds"),
        ('law = "empirical", values_us = [1, "2"]', ".values_us[1]: must be a whole number: '2'"),
        ('law = "lognormal", median_us = 3, sigma = nan', ".sigma: must be a number from 0"),
        ('law = "lognormal", median_us = 3, sigma = 1, mean_us = 4', ": unknown field 'mean_us'"),
    ],
)
def test_a_delay_law_is_checked(law, said):
    with pytest.raises(BadInput) as caught:
        loads(f"[consumers]\nprocessing = {{ {law} }}")

    assert f"scenario: consumers.processing{said}" in str(caught.value)


def test_every_problem_is_told_at_once():
    text = """
        bogus = 1
        horizon_ms = 2.7
        [topology]
        brokers = "3"
        links = [{ loss = 1.5, duplicate = true, latency = { law = "constant", us = -4 } }]
        [workload]
        arrivals = { kind = "stedy", per_s = 4 }
        [[faults]]
        kind = "clog"
        source = "a"
        target = "b"
        from_ms = 10
        until_ms = 3
        [[faults]]
        kind = "drop"
        source = "a b"
    """
    with pytest.raises(BadInput) as caught:
        loads(text, "my.toml")

    heading, *lines = str(caught.value).splitlines()
    paths = [line.strip().partition(": ")[0] for line in lines]
    assert heading == "my.toml: 11 problems"
    assert sorted(paths) == [
        "faults[0].until_ms",
        "faults[1].message",
        "faults[1].source",
        "faults[1].target",
        "horizon_ms",
        "topology.brokers",
        "topology.links[0].duplicate",
        "topology.links[0].latency.us",
        "topology.links[0].loss",
        "unknown field 'bogus' (known",
        "workload.arrivals.kind",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = 'a'\nhorizon_ms =", "my.toml, line 2: is not TOML (Invalid value): 'horizon_ms ="),
        ("[a\n", "my.toml, line 1: is not TOML"),
        ("name = 'a'\nname = 'b'", "my.toml, line 2: is not TOML (Cannot overwrite a value)"),
        ("x = [1,\n2", "my.toml, line 2: is not TOML (Unclosed array)"),
        ("\x00", "my.toml, line 1: is not TOML"),
        ("horizon_ms = " + "9" * 5_000, "my.toml: is not TOML: a number in it has too many digits"),
    ],
)
def test_what_is_not_toml_is_one_line_with_its_number(text, said):
    with pytest.raises(BadInput) as caught:
        loads(text, "my.toml")

    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"none\.toml: cannot be read: No such file"):
        load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"name = 'caf\xe9'")
    with pytest.raises(BadInput, match=r"latin\.toml: is not UTF-8"):
        load(tmp_path / "latin.toml")


@pytest.mark.parametrize(
    "made", [Scenario(application=print), Scenario(consumers=Consumers(handler=print))]
)
def test_a_function_is_not_written(made):
    with pytest.raises(BadInput, match="functions have no place in a file"):
        dumps(made)
