"""Inside a run no clock and no global chance is asked; outside all is as ever."""

# ruff: noqa: TID251, DTZ001, DTZ003, DTZ005, DTZ011, BLE001, ICN001 - what trips is asked for here

import copy
import copyreg
import datetime as dates
import importlib
import logging
import os
import pickle
import random
import secrets
import sys
import threading
import time
import types
import uuid
from datetime import datetime
from time import monotonic

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Consumers, Scenario, Workload, simulate
from simulator.testing import Session, Undetermined, audited, idempotent
from simulator.world.world import World

ASKING = {
    "time.time": lambda: time.time(),
    "time.monotonic": lambda: monotonic(),
    "time.sleep": lambda: time.sleep(0),
    "datetime.now": lambda: datetime.now(),
    "datetime.utcnow": lambda: dates.datetime.utcnow(),
    "date.today": lambda: dates.date.today(),
    "random.random": lambda: random.random(),
    "random.shuffle": lambda: random.shuffle([1]),
    "uuid.uuid4": lambda: uuid.uuid4(),
    "secrets.token_hex": lambda: secrets.token_hex(),
    "secrets.randbits": lambda: secrets.randbits(8),
    "random.Random": lambda: random.Random(),
    "random.SystemRandom.random": lambda: random.SystemRandom().random(),
    "random.SystemRandom.getrandbits": lambda: random.SystemRandom().randrange(7),
    "time.localtime": lambda: time.localtime(),
    "time.strftime": lambda: time.strftime("%Y"),
    "time.ctime": lambda: time.ctime(None),
    "time.process_time_ns": lambda: time.process_time_ns(),
    "os.urandom": lambda: os.urandom(1),
    "threading.Thread.start": lambda: threading.Thread(target=len).start(),
}


def asking(what):
    """A handler that asks for something, whatever it is for."""

    def make(store):
        def handle(record):
            what()
            store[record.event_id] = 1

        return handle

    return make


def try_out(what):
    return idempotent(asking(what), events=1, crashes=1, doubled=False)


@pytest.mark.parametrize("name", ASKING)
def test_it_trips_and_tells_the_place(name):
    with audited(), pytest.raises(Undetermined) as tripped:
        try_out(ASKING[name])

    assert f"{name}() was called inside a run" in str(tripped.value)
    assert "test_audit.py" in str(tripped.value)


def test_outside_of_a_run_nothing_is_changed():
    before = (time.time, dates.datetime, datetime, random.random, uuid.uuid4)

    with audited():
        try_out(lambda: None)
        assert (time.time, dates.datetime, datetime, random.random, uuid.uuid4) == before
        assert time.time() > 0
        with pytest.raises(Undetermined):
            try_out(ASKING["time.time"])

    assert (time.time, dates.datetime, datetime, random.random, uuid.uuid4) == before


@pytest.mark.parametrize("owner", [time, sys.modules[__name__]], ids=["time", "importer"])
def test_what_a_test_has_put_in_its_place_is_let_be(monkeypatch, owner):
    """A clock that stands still is determined, and stays until its test takes it back."""
    name = "time" if owner is time else "monotonic"
    with audited():
        try_out(lambda: None)  # It has been found, and is known by what it was.

        monkeypatch.setattr(owner, name, lambda: 5.0)

        assert try_out(lambda: getattr(owner, name)())
        assert getattr(owner, name)() == 5.0


def test_a_module_imported_in_a_run_has_the_real_thing_afterwards(tmp_path, monkeypatch):
    """And the next run finds it, as it finds what was imported before."""
    (tmp_path / "imported_late.py").write_text(
        "from datetime import datetime\nfrom time import time as now\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    with audited():
        try_out(lambda: importlib.import_module("imported_late"))
        late = importlib.import_module("imported_late")

        assert (late.now, late.datetime) == (time.time, dates.datetime)
        assert late.now() > 0
        with pytest.raises(Undetermined):
            try_out(lambda: late.now())


def test_what_is_made_when_it_is_asked_is_not_asked(monkeypatch):
    """Frameworks have globals that cannot be had before all is configured; the audit goes on."""

    class Settings:
        @property
        def __class__(self):
            raise RuntimeError("not configured")

    module = types.ModuleType("configured_later")
    module.__file__, module.settings = "configured_later.py", Settings()
    monkeypatch.setitem(sys.modules, module.__name__, module)

    with audited():
        assert try_out(lambda: None)
        with pytest.raises(Undetermined):
            try_out(ASKING["time.time"])


def test_without_an_audit_a_run_may_ask_and_audits_may_be_turned_off():
    with audited(on=False):
        assert try_out(ASKING["time.time"])
    with audited():
        with audited(on=False):
            assert try_out(ASKING["time.time"])
        with pytest.raises(Undetermined):
            try_out(ASKING["time.time"])


def test_it_leaves_the_world_as_it_was():
    with audited(on=False):
        before = World.run
        with audited():
            assert World.run is not before
        assert World.run is before


DATES = (
    dates.date(2020, 1, 2),
    datetime(2020, 1, 2, 3, 4, 5, 6),
    datetime(2020, 10, 25, 2, 30, tzinfo=dates.UTC, fold=1),
)


@pytest.mark.parametrize("given", DATES, ids=str)
def test_a_date_is_pickled_in_a_run_as_it_is_outside(given):
    """It is an ordinary one, though in a run its class is not what its name means."""
    seen = []

    def pickled():
        made = given.replace(year=given.year)
        again = pickle.loads(pickle.dumps(made))
        seen.append((pickle.dumps(made), again, type(again), again.__reduce_ex__(4)))
        return copy.deepcopy(made) == made

    with audited():
        assert try_out(pickled)
        assert pickle.loads(pickle.dumps(given)) == given
        assert type(given) not in copyreg.dispatch_table

    ordinary = pickle.dumps(given), given, type(given), given.__reduce_ex__(4)
    assert set(map(repr, seen)) == {repr(ordinary)}


def test_what_is_determined_is_let_pass():
    """Dates that are given, and chance of one's own with a seed."""

    def determined():
        assert datetime(2020, 1, 1) < dates.datetime.fromisoformat("2021-01-01")
        assert isinstance(dates.datetime(2020, 1, 1), datetime)
        assert issubclass(datetime, dates.date)
        assert dates.date(2020, 1, 2).isoformat() == "2020-01-02"
        random.Random(7).random()
        random.Random(x=7).seed(8)
        random.Random(7).seed(a=9)
        assert time.strftime("%Y", time.gmtime(0)) == "1970"
        logging.getLogger("a").warning("it is %s", 1)

    with audited():
        assert try_out(determined)


def test_an_error_that_is_swallowed_is_raised_at_the_end():
    def swallowing():
        try:
            time.time()
        except Exception:
            return

    with audited(), pytest.raises(Undetermined):
        try_out(swallowing)


@settings(max_examples=5)
@given(st.data())
def test_hypothesis_may_ask_the_clock_in_a_run(data):
    """It does whenever something is drawn."""
    from simulator.testing import runs

    with audited():
        data.draw(runs(Scenario(workload=Workload(events=1))))


def test_runs_of_scenarios_are_audited_and_are_the_same():
    scenario = Scenario(workload=Workload(events=2))
    with audited(on=False):
        plain = simulate(scenario).digest()

    with audited():
        assert simulate(scenario).digest() == plain


@pytest.mark.parametrize("act", ["advance", "wait_for", "finish"])
def test_what_a_session_has_happen_is_audited(act):
    """A session's run is one, though somebody has it go on step by step."""

    def asks_the_clock(context):
        return lambda record: time.time()

    scenario = Scenario(
        workload=Workload(events=1), consumers=Consumers(instances=1, handler=asks_the_clock)
    )
    acts = {"advance": (60_000,), "wait_for": ("offset_committed",), "finish": ()}
    with audited(), Session(scenario, workload=True) as session:
        with pytest.raises(Undetermined):
            getattr(session, act)(*acts[act])
        assert time.time() > 0
