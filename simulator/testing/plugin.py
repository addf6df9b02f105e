"""The pytest plugin: a failing simulation tells its story, and says how to have it again.

    simulation                          a fixture: runs that belong to the test
    @pytest.mark.simulation(scenario)   what the fixture runs; seed=, audit=
    @pytest.mark.sometimes("a name")    the test fails if `sometimes(..., "a name")` never held
    --witness TEXT                      run this one schedule, and no search, for one question
    --simulator-files DIR               where traces and pictures of failures go

Rule 1: a suite that does not use the simulator does not pay for it: this file imports only pytest
and the standard library, and does nothing in a test until the simulator has been imported, or a
marker or `--witness` says that it will be.
Rule 2: a test that passes is changed in one way only: it fails if a mark of its own (by
`sometimes`) was never reached; or if it was to run a witness, and never came to its question.
Rule 3: runs are audited (no wall clock, no global chance, no threads), once the simulator has been
imported; `simulator_audit = false` in pytest's configuration turns that off, and so does
`@pytest.mark.simulation(audit=False)` for one test.
"""

import os
import re
import shlex
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from simulator.testing.marks import Ledger
    from simulator.testing.simulation import Simulation

MARKERS = (
    "simulation(scenario, *, seed=None, audit=True): what the `simulation` fixture runs",
    "sometimes(*names): fail unless `sometimes(condition, name)` held at least once for each name",
)
USED = "simulator.errors"  # Whoever uses anything of the simulator has loaded this.
QUESTION = re.compile(r"([1-9][0-9]*): ?(.*)", re.DOTALL)
FILES = ".simulator"
CHOOSING = (
    "--deselect", "--ignore", "--ignore-glob", "--lf", "--last-failed", "--sw", "--stepwise",
    "--co", "--collect-only",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """The command line's and the configuration's words."""
    group = parser.getgroup("simulator", "simulations")
    group.addoption(
        "--witness", default=None, metavar="TEXT",
        help="run the schedule that a failure printed: 'site#k=value;...', with '2: ' before it "
        "for the second question of the test; name that one test, too",
    )  # fmt: skip
    group.addoption(
        "--simulator-files", default=None, metavar="DIR",
        help=f"where the traces and pictures of failures go (default: {FILES} beside the "
        "configuration; '' writes none)",
    )  # fmt: skip
    parser.addini("simulator_audit", "runs may ask no clock, no chance", type="bool", default=True)
    parser.addini(
        "simulator_sometimes", "names of marks that the whole suite must reach (a part of it, "
        "chosen on the command line, need not)", type="linelist", default=[],
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    """Markers have their help."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.stash[REACHED] = set()


def pytest_collection_finish(session: pytest.Session) -> None:
    """A witness is of one test: others would not know what it speaks of.

    Raises:
        UsageError: several are selected.
    """
    config, items = session.config, session.items
    witness = config.getoption("witness")
    if witness is None or len(items) < 2:
        return
    refused = (
        f"--witness {witness!r} is of one test, and {len(items)} are selected: name it, "
        f"such as {shlex.quote(_from_here(items[0]))}"
    )
    if not hasattr(config, "workeroutput"):
        raise pytest.UsageError(refused)
    config.stash[REFUSED] = refused  # A worker of xdist must not end before its tests.


def pytest_runtest_setup(item: pytest.Item) -> None:
    """No test is run with a witness that may be another's."""
    refused = item.config.stash.get(REFUSED, "")
    if refused:
        pytest.fail(refused, pytrace=False)


REFUSED = pytest.StashKey[str]()
MISSING = pytest.StashKey[list[str]]()
REACHED = pytest.StashKey[set[str]]()
SIMULATION = pytest.StashKey["Simulation"]()
LEDGER: "pytest.StashKey[Ledger]" = pytest.StashKey()


# --- Around a test --------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Audit the test's runs, its fixtures' and its own; count its marks, and what it asks."""
    if not _is_used(item):
        return (yield)
    from simulator.testing import marks
    from simulator.testing.audit import audited

    names = [name for marker in item.iter_markers("sometimes") for name in marker.args]
    witness, question = _asked_for(item)
    draws = bool(getattr(getattr(item, "obj", None), "is_hypothesis_test", False))
    ledger = item.stash[LEDGER] = marks.Ledger(tuple(names), witness, question, draws=draws)
    wanted = bool(item.config.getini("simulator_audit"))
    for marker in item.iter_markers("simulation"):
        wanted = wanted and bool(marker.kwargs.get("audit", True))
    with audited(on=wanted), marks.counting(ledger):
        try:
            return (yield)
        finally:
            item.config.stash[REACHED] |= {one for one, times in ledger.reached.items() if times}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Fail a test that never reached its marks, over all its examples, or ran no witness."""
    result = yield
    ledger = item.stash.get(LEDGER, None)
    if ledger is None:
        return result
    if ledger.unanswered:
        pytest.fail(ledger.unanswered, pytrace=False)
    missing = ledger.missing
    if missing and ledger.witness is None:
        told = ", ".join(repr(name) for name in missing)
        pytest.fail(f"never reached in any run of this test: {told}", pytrace=False)
    return result


def _asked_for(item: pytest.Item) -> tuple[str | None, int]:
    """The witness to run, and which of the test's questions it is of."""
    text: str | None = item.config.getoption("witness")
    numbered = QUESTION.fullmatch(text or "")
    return (text, 1) if numbered is None else (numbered[2], int(numbered[1]))


def _is_used(item: pytest.Item) -> bool:
    if USED in sys.modules or "simulation" in getattr(item, "fixturenames", ()):
        return True
    # A test may import the simulator in its body, where it is too late to find out.
    asked = item.config.getoption("witness") is not None
    return asked or any(next(item.iter_markers(one), None) for one in ("simulation", "sometimes"))


@pytest.fixture
def simulation(request: pytest.FixtureRequest) -> "Simulation":
    """Runs that belong to this test: what goes wrong in the last one is told if the test fails."""
    from simulator.testing.simulation import Simulation

    marker = request.node.get_closest_marker("simulation")
    given = dict(marker.kwargs) if marker is not None else {}
    given.pop("audit", None)
    if marker is not None and marker.args:
        given["scenario"] = marker.args[0]
    made = Simulation(**given)
    request.node.stash[SIMULATION] = made
    return made


# --- What a failure says ----------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the story, the witness, the replay and the files of a failing run."""
    report = yield
    if report.failed and call.excinfo is not None and USED in sys.modules:
        from simulator.testing.failures import section

        made = item.stash.get(SIMULATION, None)
        told = section(item.nodeid, call.excinfo.value, made, _files(item), _from_here(item))
        if told:
            report.sections.append(("simulator", told))
    return report


def _from_here(item: pytest.Item) -> str:
    """The test as pytest is given it where it was called: a nodeid begins at the rootdir."""
    name, _, rest = item.nodeid.partition("::")
    path = item.config.rootpath / name
    if not path.exists():
        return item.nodeid
    return f"{os.path.relpath(path, item.config.invocation_params.dir)}::{rest}"


def _files(item: pytest.Item) -> Path | None:
    """The folder for the files of failures; None: write none."""
    chosen = item.config.getoption("simulator_files")
    if chosen is None:
        return item.config.rootpath / FILES
    return Path(chosen) if chosen else None


# --- The whole suite --------------------------------------------------------------------------


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A suite which never reached what it declares has failed."""
    config = session.config
    output: dict[str, Any] | None = getattr(config, "workeroutput", None)
    if output is not None:  # A worker of xdist tells its controller.
        reached = config.stash[REACHED]
        output["simulator_reached"] = sorted(reached)
        return
    passed = exitstatus == pytest.ExitCode.OK
    stopped = exitstatus != pytest.ExitCode.TESTS_FAILED or config.option.maxfail
    if (passed or not stopped) and _is_whole(config):
        reached = config.stash[REACHED]
        names: list[str] = config.getini("simulator_sometimes")
        missing = config.stash[MISSING] = [name for name in names if name not in reached]
        if missing and passed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:  # noqa: ARG001 - xdist's hook
    """What a worker's tests have reached."""
    reached = getattr(node, "workeroutput", {}).get("simulator_reached", ())
    node.config.stash[REACHED].update(reached)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what the suite has never reached."""
    missing = config.stash.get(MISSING, [])
    if missing:
        terminalreporter.section("simulator")
        for name in missing:
            terminalreporter.line(f"never reached in any test: {name!r}", red=True)


def _is_whole(config: pytest.Config) -> bool:
    """Whether the whole suite was asked for, as it is configured: a part need not reach all.

    What chooses stands on the command line: what the configuration leaves out is no part of it.
    """
    given = [str(word) for word in config.invocation_params.args]
    chosen = any(word.partition("=")[0] in CHOOSING or word[:2] in ("-k", "-m") for word in given)
    if chosen or config.getoption("witness") is not None:
        return False
    here = config.invocation_params.dir
    if config.args_source is not config.ArgsSource.ARGS:
        return here == config.rootpath or config.args_source is config.ArgsSource.TESTPATHS
    named = [(here / word).resolve() for word in config.args]
    homes = [(config.rootpath / home).resolve() for home in config.getini("testpaths")]
    return all(path.is_dir() for path in named) and all(
        any(home.is_relative_to(path) for path in named) for home in homes
    )
