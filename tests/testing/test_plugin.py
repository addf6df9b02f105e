"""The pytest plugin: a failing run tells its story, and a suite says what it never reached."""

import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

pytest_plugins = "pytester"

ROOT = Path(__file__).parent.parent.parent
INSTALLED = any(one.value == "simulator.testing.plugin" for one in entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "simulator.testing.plugin")

SCENARIO = """
    import pytest
    from simulator import AT_LEAST_ONCE, Crash, FaultPlan, Scenario, Workload
    from simulator import never_applied_twice, never_lost

    scenario = Scenario(
        workload=Workload(events=2),
        guarantee=AT_LEAST_ONCE,
        faults=FaultPlan((Crash("billing-1", "after_process"),)),
    )
"""
COUNTER = """
    from simulator.testing import exactly_once, idempotent, sometimes

    def counter(store):
        def handle(record):
            sometimes(record.key in store, "a key comes twice")
            store[record.key] = store.get(record.key, 0) + 1
        return handle

    def upsert(store):
        def handle(record):
            store[record.event_id] = record.value
        return handle
"""


def dedent(text):
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())


@pytest.fixture
def suite(pytester, monkeypatch):
    """Runs a file of tests under the plugin, in a process of its own: modules are loaded once."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*parts, args=(), ini=""):
        pytester.makepyfile(test_it="\n".join(map(dedent, parts)))
        pytester.makeini(f"[pytest]\naddopts = -p no:randomly -p no:cacheprovider\n{dedent(ini)}")
        return pytester.runpytest_subprocess(*PLUGIN, *args)

    return run


def test_a_failing_expectation_shows_story_witness_replay_and_files(suite, pytester):
    result = suite(SCENARIO, """
    @pytest.mark.simulation(scenario)
    def test_exactly_once(simulation):
        simulation.simulate()
        simulation.expect(never_lost, never_applied_twice)
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "*billing-1 crashes (after_process)*",
        "*- simulator -*",
        "witness: (nothing by chance)",
        "replay:  pytest test_it.py::test_exactly_once --witness ''",
        "trace:   *trace.jsonl",
        "picture: *picture.svg",
    ])
    folder = pytester.path / ".simulator" / "test_it.py-test_exactly_once"
    assert (folder / "trace.jsonl").stat().st_size > 1_000
    assert (folder / "picture.svg").read_text().startswith("<svg")


def test_a_plain_assert_is_told_by_the_first_promise_broken(suite):
    result = suite(SCENARIO, """
    @pytest.mark.simulation(scenario, seed=3)
    def test_it(simulation):
        trace = simulation.simulate()
        assert len(trace.of("effect_applied")) == 2
    """, args=("--simulator-files", ""))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["The run ended so:", "*billing-1*", "replay:  pytest *"])
    assert "trace:  " not in result.stdout.str()


RAISING = """
    from simulator import Consumers, CrashHazard, Hazards

    def raises_when_it_is_asked_again(context):
        crashed = context.node.incarnation > 0

        def handle(record):
            if crashed:
                raise ValueError("seen before")
        return handle

    crashing = Scenario(
        workload=Workload(events=2),
        consumers=Consumers(handler=raises_when_it_is_asked_again),
        hazards=Hazards(crash=(CrashHazard("billing-*", "after_process", 0.5),)),
    )

    @pytest.mark.simulation(crashing, seed=0)
    def test_it(simulation):
        simulation.simulate()
"""


def test_a_run_that_raises_is_had_again_by_its_witness_as_well(suite):
    """There is no trace to tell of, but chance has done something until then."""
    first = suite(SCENARIO, RAISING)
    shown = next(line for line in first.stdout.lines if line.startswith("replay:  pytest "))

    again = suite(SCENARIO, RAISING.replace("seed=0", ""), args=shlex.split(shown)[2:])

    for result in (first, again):
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*ValueError: seen before", "witness: *crash@billing-*"])


def test_tests_whose_names_differ_in_signs_alone_have_a_folder_each(suite, pytester):
    """Else the report of the one names the trace of the other."""
    suite(SCENARIO, """
    @pytest.mark.simulation(scenario)
    @pytest.mark.parametrize("sign", ["<", ">", "x"])
    def test_it(simulation, sign):
        simulation.simulate()
        assert not sign
    """)

    folders = sorted(folder.name for folder in (pytester.path / ".simulator").iterdir())
    assert len(folders) == 3
    assert "test_it.py-test_it-x" in folders


def test_the_replay_is_given_as_it_is_called_from_where_pytest_stands(pytester, monkeypatch):
    """Names of tests begin at the configuration's folder; commands do not."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeini("[pytest]")
    pytester.mkdir("billing").joinpath("test_it.py").write_text(dedent(SCENARIO + """
    @pytest.mark.simulation(scenario)
    def test_it(simulation):
        simulation.simulate()
        assert False
    """))
    monkeypatch.chdir(pytester.path / "billing")

    result = pytester.runpytest_subprocess(*PLUGIN)

    result.stdout.fnmatch_lines(["replay:  pytest test_it.py::test_it --witness *"])


def test_a_witness_is_run_instead_of_the_seed(suite):
    result = suite(SCENARIO, """
    import attrs

    @pytest.mark.simulation(attrs.evolve(scenario, faults=FaultPlan()))
    def test_it(simulation):
        trace = simulation.simulate()
        assert not trace.of("node_crashed")
    """, args=("--witness", "crash@billing-1/after_process#0=1"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["witness: crash@billing-1/after_process#0=1"])


def test_a_handlers_counterexample_is_shown_and_run_again(suite):
    tests = """
    def test_counter():
        exactly_once(counter, events=3).check()
    """
    first = suite(COUNTER, tests)
    shown = next(
        line for line in first.stdout.lines if line.startswith("replay:  pytest ")
    ).removeprefix("replay:  pytest ")

    again = suite(COUNTER, tests, args=shlex.split(shown))

    first.assert_outcomes(failed=1)
    first.stdout.fnmatch_lines(["*broken by 1 event and 1 crash*", "trace:   *trace.jsonl"])
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["*broken in this one run of 1 event and 1 crash*"])


TWO = """
    @pytest.mark.simulation(scenario, seed=3)
    def test_both(simulation):
        exactly_once(upsert, events=1).check()
        simulation.simulate()
        exactly_once(counter, events=3).check()
"""


def test_a_witness_is_of_the_question_that_it_was_printed_for(suite):
    """The others are asked as ever: another handler would be refused, or told kept."""
    first = suite(SCENARIO, COUNTER, TWO)
    shown = next(line for line in first.stdout.lines if line.startswith("replay:  pytest "))

    again = suite(SCENARIO, COUNTER, TWO, args=shlex.split(shown)[2:])
    of_the_first = suite(SCENARIO, COUNTER, TWO, args=("--witness", ""))

    assert "--witness '3: event@log#0=1;crash@consumer-0/after_process#0=1'" in shown
    again.stdout.fnmatch_lines(["*broken in this one run of 1 event and 1 crash*", shown])
    of_the_first.stdout.fnmatch_lines(["*broken by 1 event and 1 crash*", shown])


def test_a_run_of_the_fixture_is_a_question_as_well(suite):
    tests = """
    @pytest.mark.simulation(scenario)
    def test_the_second(simulation):
        first = simulation.simulate()
        assert simulation.simulate().digest() == first.digest()
    """
    calm = SCENARIO.replace('FaultPlan((Crash("billing-1", "after_process"),))', "FaultPlan()")

    result = suite(calm, tests, args=("--witness", "2: crash@billing-1/after_process#0=1"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*--witness '2: crash@billing-1/after_process#0=1'"])


@pytest.mark.parametrize(
    ("witness", "said"),
    [
        ("3: ", "--witness is of question 3, and this test asks 1"),
        ("2: crash@consumer-0/store-7#0=1", "--witness is of question 2, and this test asks 1"),
    ],
)
def test_a_witness_that_was_not_run_fails_the_test(suite, witness, said):
    """Else a green run would be taken for the word that the failure is gone."""
    result = suite(COUNTER, """
    def test_it():
        exactly_once(upsert, events=1).check()
    """, args=("--witness", witness))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([said])


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_witness_for_several_tests_is_refused_in_one_line(suite, more):
    result = suite(COUNTER, """
    def test_one():
        exactly_once(upsert, events=1).check()

    def test_two():
        exactly_once(counter, events=1).check()
    """, args=("--witness", "crash@consumer-0/after_process#0=1", *more))

    assert result.ret != pytest.ExitCode.OK
    told = "*is of one test, and 2 are selected: name it, such as test_it.py::test_one"
    (result.stdout if more else result.stderr).fnmatch_lines([told])
    assert "broken" not in result.stdout.str()


def test_a_witness_of_what_hypothesis_draws_is_refused_and_not_advised(suite):
    """The next time something else is drawn first."""
    tests = """
    from hypothesis import given, settings, strategies as st

    @settings(max_examples=5, database=None)
    @given(st.integers(1, 3))
    def test_it(events):
        exactly_once(counter, events=events, crashes=1).check()
    """
    found = suite(COUNTER, tests)
    forced = suite(COUNTER, tests, args=("--witness", "crash@consumer-0/after_process#0=1"))

    found.stdout.fnmatch_lines(["witness: crash@consumer-0/after_process#0=1"])
    assert "--witness '" not in found.stdout.str()
    forced.stdout.fnmatch_lines(["*--witness: is not all of a run that Hypothesis draws: *"])


def test_a_test_that_imports_the_simulator_in_its_body_runs_the_witness_as_well(suite):
    """Nobody has imported it when the test begins, so only the command line says it is coming."""
    result = suite("""
    def test_counter():
        from simulator.testing import exactly_once

        def counter(store):
            def handle(record):
                store[record.key] = store.get(record.key, 0) + 1
            return handle

        exactly_once(counter, events=3).check()
    """, args=("--witness", "event@log#0=1;crash@consumer-0/after_process#0=1"))

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*broken in this one run of 1 event and 1 crash*"])


def test_a_mark_that_a_test_declares_is_missed_though_nothing_is_imported(suite):
    result = suite("""
    import pytest

    @pytest.mark.sometimes("a key comes twice")
    def test_it():
        pass
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*never reached in any run of this test: 'a key comes twice'*"])


@pytest.mark.parametrize("how", ["session", "property"])
def test_what_a_witness_alone_does_not_have_again_is_not_said_to_be(suite, how):
    """Acts and drawn faults are not in it: the code of the story has the run again."""
    tests = {
        "session": """
    def test_it():
        with Session(scenario) as session:
            session.produce(key="k1")
            session.wait_for("effect_applied")
            for instance in session.instances:
                session.restart(instance)
            session.finish()
            session.expect(never_applied_twice)
    """,
        "property": """
    @quick(max_examples=60, derandomize=True, database=None)
    @given(runs(Scenario(workload=Workload(events=1), guarantee=AT_LEAST_ONCE), crashes))
    def test_it(run):
        run.expect(never_applied_twice)
    """,
    }
    result = suite(SCENARIO, """
    from hypothesis import given
    from simulator.testing import Session, fault_plans, quick, runs

    def crashes(scenario):
        return fault_plans(scenario, kinds=("crash",), nodes="billing-*")
    """, tests[how])

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Replay:*", "witness: *", "trace:   *"])
    assert "--witness" not in result.stdout.str()


def test_a_mark_that_is_never_reached_fails_its_test(suite):
    result = suite(COUNTER, """
    import pytest

    def test_two():
        assert not idempotent(counter, events=2, doubled=False)

    def test_reached():
        assert not idempotent(counter, events=3)

    @pytest.mark.sometimes("a rebalance")
    def test_declared():
        assert idempotent(upsert, events=1)

    def test_fails_for_its_own_reason():
        assert sometimes(False, "whatever")
    """)

    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["never reached in any run of this test: 'a rebalance'"])
    assert "this test: 'whatever'" not in result.stdout.str()


def test_a_suite_that_never_reaches_its_marks_fails(suite):
    tests = """
    def test_it():
        sometimes(True, "one")
    """
    ini = """
    simulator_sometimes =
        one
        two
    """
    whole = suite(COUNTER, tests, ini=ini)
    a_part = suite(COUNTER, tests, ini=ini, args=("test_it.py::test_it",))

    assert whole.ret == pytest.ExitCode.TESTS_FAILED
    whole.stdout.fnmatch_lines(["never reached in any test: 'two'"])
    assert "'one'" not in whole.stdout.str()
    assert a_part.ret == pytest.ExitCode.OK


FOLDERS = """
    [pytest]
    addopts = -p no:randomly -m "not slow"
    markers = slow
    testpaths = first second
    simulator_sometimes =
        one
        two
"""


@pytest.fixture
def folders(pytester, monkeypatch):
    """A suite in two folders, each of which reaches one of its marks, unless `reached` is less."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def run(*args, reached=("one", "two"), where="."):
        pytester.makeini(dedent(FOLDERS))
        for folder, name in zip(("first", "second"), reached, strict=True):
            (pytester.path / folder).mkdir(exist_ok=True)
            (pytester.path / folder / f"test_{folder}.py").write_text(
                "from simulator.testing import sometimes\n"
                f"def test_it():\n    sometimes(True, {name!r})\n"
            )
        monkeypatch.chdir(pytester.path / where)
        return pytester.runpytest_subprocess(*PLUGIN, *args)

    return run


@pytest.mark.parametrize("args", [(), ("-n", "2"), (".",), ("first", "second"), ("--color=no",)])
def test_the_whole_suite_reaches_its_marks_together(folders, args):
    """Whoever runs it, and in however many processes."""
    assert folders(*args).ret == pytest.ExitCode.OK

    missed = folders(*args, reached=("one", "one"))

    assert missed.ret == pytest.ExitCode.TESTS_FAILED
    missed.stdout.fnmatch_lines(["never reached in any test: 'two'"])


@pytest.mark.parametrize(
    ("args", "where"),
    [
        (("first",), "."),
        (("first/test_first.py",), "."),
        (("first/test_first.py::test_it", "-n", "2"), "."),
        (("-k", "test_first"), "."),
        (("-kfirst", "-n", "2"), "."),
        (("--deselect=second/test_second.py::test_it",), "."),
        (("--ignore", "second/test_second.py"), "."),
        ((), "first"),
    ],
)
def test_a_part_of_the_suite_need_not_reach_all(folders, args, where):
    result = folders(*args, where=where)

    result.assert_outcomes(passed=1, deselected=result.parseoutcomes().get("deselected", 0))
    assert result.ret == pytest.ExitCode.OK
    assert "never reached" not in result.stdout.str()


def test_workers_report_as_one_process_does(suite, pytester):
    """Story, witness, replay and files; the paths are those of where pytest was called."""
    tests = """
    @pytest.mark.simulation(scenario)
    @pytest.mark.parametrize("sign", ["a", "b"])
    def test_it(simulation, sign):
        simulation.simulate()
        simulation.expect(never_applied_twice)
    """
    alone = suite(SCENARIO, tests, args=("--simulator-files", "alone"))
    workers = suite(SCENARIO, tests, args=("-n", "2", "--simulator-files", "alone"))

    def told(result):
        starts = ("witness: ", "replay:  ", "trace:   ", "picture: ")
        return sorted(line for line in result.stdout.lines if line.startswith(starts))

    assert told(alone) == told(workers)
    assert len(told(alone)) == 8
    assert len(list((pytester.path / "alone").glob("*/trace.jsonl"))) == 2


def test_runs_are_audited_unless_told_otherwise(suite):
    tests = """
    import time
    import pytest

    def asking(store):
        def handle(record):
            store[record.event_id] = time.time() * 0
        return handle

    def test_trips():
        idempotent(asking, events=1).check()

    @pytest.mark.simulation(audit=False)
    def test_excused():
        time.time()
        idempotent(asking, events=1).check()
    """
    audited = suite(COUNTER, tests)
    silent = suite(COUNTER, tests, ini="simulator_audit = false")

    audited.assert_outcomes(passed=1, failed=1)
    audited.stdout.fnmatch_lines(["*time.time() was called inside a run*"])
    audited.stdout.fnmatch_lines(["*test_it.py:*, in handle"])
    silent.assert_outcomes(passed=2)


def test_markers_and_options_have_their_help(suite):
    result = suite("", args=("--markers",))
    result.stdout.fnmatch_lines(["@pytest.mark.simulation(*", "@pytest.mark.sometimes(*"])

    suite("", args=("--help",)).stdout.fnmatch_lines(["simulations:", "*--witness=TEXT*"])


def test_hypothesis_shows_the_smallest_counterexample_it_found(suite):
    result = suite(COUNTER, """
    from hypothesis import given, settings, strategies as st

    @settings(max_examples=5, database=None)
    @given(st.integers(1, 3))
    def test_it(events):
        exactly_once(counter, events=events, crashes=1).check()
    """)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*crash@consumer-0/after_process#0=1*", "picture: *"])


def test_a_suite_that_does_not_use_it_does_not_load_it(tmp_path):
    """Read off a fresh Python."""
    (tmp_path / "test_it.py").write_text("def test_it(): assert True\n")
    code = (
        "import sys, pytest; "
        f"pytest.main(['-q', '-p', 'no:cacheprovider', *{PLUGIN!r}, {str(tmp_path)!r}]); "
        "print(*sorted(m for m in sys.modules if m.startswith(('simulator', 'simpy'))))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert "1 passed" in done.stdout
    assert done.stdout.splitlines()[-1].split() == [
        "simulator", "simulator._homes", "simulator.testing", "simulator.testing.plugin",
    ]  # fmt: skip
