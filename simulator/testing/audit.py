"""Inside a run nothing may differ from run to run: an audit trips on what would.

The wall clock, global chance, fresh identifiers, the system's randomness and threads: whoever asks
for one of them inside a run gets `Undetermined`, which names the call and its place. Outside of
runs, and for Hypothesis, pytest, logging and the simulator itself, all is as ever.

Rule 1: the replacements stand only while a run goes on, and are taken back however it ends: also
from a module that was first imported in the run, and so has imported a replacement.
Rule 2: a name that a module of yours has imported (`from time import time`) is replaced there too;
modules of installed packages keep theirs. What a test has put in the place of a name (by pytest's
`monkeypatch`, say) is the test's: it is neither replaced nor taken back.
Rule 3: an error that a handler swallows is raised once the run is over.

Not modelled: what C code asks by itself (SQL's CURRENT_TIMESTAMP, hash seeds, numpy's generators),
an installed package that has imported such a name for itself, a function that was put into a
variable before the run, and a generator of chance that was made before it. Whoever asks in a run
whether `type(at) is datetime` is told no (`isinstance` says yes): the name means a replacement.
What is made by it is an ordinary datetime, and its pickle an ordinary one.
"""

import copyreg
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from simulator.errors import SimulatorError

CLOCK = "a run knows only virtual time: ask the node's clock (context.node.now_us)"
CHANCE = "draw it from a chooser, or let the event bring it along"
IDENTITY = "derive identifiers from the event (record.event_id)"
THREAD = "a handler is one process; the simulator interleaves"

FORBIDDEN: dict[str, tuple[tuple[str, ...], str]] = {
    "time": (("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns",
              "sleep", "process_time", "process_time_ns", "thread_time", "thread_time_ns",
              "clock_gettime", "clock_gettime_ns"), CLOCK),
    "random": (("random", "randint", "randrange", "choice", "choices", "sample", "shuffle",
                "uniform", "gauss", "getrandbits", "randbytes", "expovariate", "betavariate",
                "normalvariate", "lognormvariate", "triangular", "paretovariate", "gammavariate",
                "weibullvariate", "vonmisesvariate", "binomialvariate"), CHANCE),
    "uuid": (("uuid1", "uuid4"), IDENTITY),
    "secrets": (("token_bytes", "token_hex", "token_urlsafe", "randbelow", "randbits", "choice"),
                CHANCE),
    "os": (("urandom", "getrandom"), CHANCE),
}  # fmt: skip
# What asks only if it is not told: the function, and which of its arguments tells it.
UNLESS_TOLD = (("gmtime", 1), ("localtime", 1), ("ctime", 1), ("asctime", 1), ("strftime", 2))
SYSTEMS_CHANCE = ("random", "getrandbits", "randbytes")  # All others come by these.
PICKLED = 4  # The form that knows which of two equal hours is meant, as clocks are put back.
DATES = (("datetime", ("now", "utcnow", "today")), ("date", ("today",)))
# These may ask: what they learn does not come into a run.
TRUSTED = frozenset((
    "simulator", "simpy", "hypothesis", "pytest", "_pytest", "pluggy", "xdist", "execnet",
    "coverage", "pytest_timeout", "logging", "warnings",
))  # fmt: skip
# Who stands between the caller and what is forbidden: the place told is theirs who called it.
BETWEEN = frozenset((
    "random", "uuid", "secrets", "threading", "concurrent", "datetime", "tempfile"
))  # fmt: skip
INSTALLED = ("site-packages", "dist-packages")
CALLABLE = (BuiltinFunctionType, FunctionType, MethodType)

Patch = tuple[Any, str, Any, Any]  # Where, which name, what it was, what it is during a run.


class Undetermined(SimulatorError):
    """Something was asked inside a run which the next run would answer otherwise."""


class Audit:
    """The replacements, found once and put in place for each run.

    Attributes:
        tripped: what was asked in the run at hand.
    """

    def __init__(self) -> None:
        self.tripped: list[Undetermined] = []
        self._replaced: dict[Any, Any] = {}
        self._reals: dict[Any, Any] = {}  # The other way round.
        self._patches: list[Patch] = []
        self._pickled: dict[Any, Callable[[Any], Any]] = {}  # How, while the name is replaced.
        self._seen: set[str] = set()
        self._depth = 0
        for name, (functions, cure) in FORBIDDEN.items():
            module = importlib.import_module(name)
            for function in functions:
                self._replace(module, function, f"{name}.{function}", cure)
        clock, chance = importlib.import_module("time"), importlib.import_module("random")
        for function, told in UNLESS_TOLD:
            self._replace(clock, function, f"time.{function}", CLOCK, told)
        self._replace(chance.Random, "seed", "random.Random", f"give it a seed, or {CHANCE}", 2)
        for function in SYSTEMS_CHANCE:
            self._replace(chance.SystemRandom, function, f"random.SystemRandom.{function}", CHANCE)
        thread = importlib.import_module("threading").Thread
        self._replace(thread, "start", "threading.Thread.start", THREAD)
        self._replace_dates()

    def _replace(
        self, owner: Any, attribute: str, title: str, cure: str, told: int | None = None
    ) -> None:
        real = getattr(owner, attribute, None)
        if real is None:
            return
        stub = self._stub(real, title, cure, told)
        self._replaced[real], self._reals[stub] = stub, real
        self._patches.append((owner, attribute, real, stub))

    def _replace_dates(self) -> None:
        module = importlib.import_module("datetime")
        for name, asking in DATES:
            real = getattr(module, name)
            meta = type(
                "Like", (type,), {
                    "__instancecheck__": lambda _, one, real=real: isinstance(one, real),
                    "__subclasscheck__": lambda _, one, real=real: issubclass(one, real),
                },
            )  # fmt: skip
            own: dict[str, Any] = {
                method: staticmethod(self._stub(getattr(real, method), f"{name}.{method}", CLOCK))
                for method in asking
            }
            own["__new__"] = staticmethod(lambda _, *args, real=real, **given: real(*args, **given))
            own["__module__"] = real.__module__
            like = meta(real.__name__, (real,), own)
            self._pickled[real] = _pickled_as(like)
            self._replaced[real], self._reals[like] = like, real
            self._patches.append((module, name, real, like))

    def _stub(
        self, real: Callable[..., Any], title: str, cure: str, told: int | None = None
    ) -> Callable[..., Any]:
        def stub(*args: Any, **given: Any) -> Any:
            if told is not None:  # By name only a seed can be told: Random.seed(a=...).
                value = args[told - 1] if len(args) >= told else given.get("a")
                if value is not None:
                    return real(*args, **given)
            frame = sys._getframe(1)  # noqa: SLF001 - whose call it is
            if _package(frame) in TRUSTED:
                return real(*args, **given)
            while frame.f_back is not None and _package(frame) in BETWEEN:
                frame = frame.f_back
            if _package(frame) in TRUSTED:
                return real(*args, **given)
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}"
            error = Undetermined(f"{title}() was called inside a run: {cure}\n  {place}")
            self.tripped.append(error)
            raise error

        return stub

    def _look(self) -> None:
        """Find what modules of the user's have imported by name; each module once."""
        for name in list(sys.modules):
            if name in self._seen:
                continue
            self._seen.add(name)
            module = sys.modules.get(name)
            if isinstance(module, ModuleType) and _is_the_users(module):
                self._patches += ((module, *one) for one in _known_in(module, self._replaced))

    def _put(self) -> None:
        for owner, name, real, stub in self._patches:
            if vars(owner).get(name) is real:
                setattr(owner, name, stub)
        for kind, reduce in self._pickled.items():
            copyreg.dispatch_table.setdefault(kind, reduce)

    def _take_back(self) -> None:
        for kind, reduce in self._pickled.items():
            if copyreg.dispatch_table.get(kind) is reduce:
                del copyreg.dispatch_table[kind]
        for owner, name, real, stub in self._patches:
            if vars(owner).get(name) is stub:
                setattr(owner, name, real)
        for name in list(sys.modules):
            module = sys.modules.get(name)
            if name not in self._seen and isinstance(module, ModuleType):
                for own, _, real in _known_in(module, self._reals):
                    setattr(module, own, real)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """A run goes on.

        Raises:
            Undetermined: at its end, if one was swallowed.
        """
        if not self._depth:
            self.tripped.clear()
            self._look()
            self._put()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._take_back()
        if self.tripped:
            raise self.tripped[0]


def _pickled_as(like: type) -> Callable[[Any], tuple[Any, ...]]:
    """How pickle takes an instance apart in a run.

    It finds a class by its name, and refuses one that its name does not mean: so it is shown the
    replacement, whose name is the same.
    """

    def parts(one: Any) -> tuple[Any, ...]:
        return (like, *one.__reduce_ex__(PICKLED)[1:])

    return parts


def _known_in(module: ModuleType, known: Mapping[Any, Any]) -> Iterator[tuple[str, Any, Any]]:
    """The names of a module that stand for one of these: the name, what it is, what it stands for.

    By its type alone it is told whether a value can be one: to ask the value itself would wake
    what is made when it is first asked for anything, such as the settings of a framework.
    """
    for name, value in list(vars(module).items()):
        kind = type(value)
        if issubclass(kind, CALLABLE) or issubclass(kind, type):
            with suppress(TypeError):  # What cannot be hashed is none of them.
                if value in known:
                    yield name, value, known[value]


def _package(frame: Any) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _is_the_users(module: ModuleType) -> bool:
    """Whether it is neither installed, nor of Python's own, nor ours."""
    file = getattr(module, "__file__", None)
    package = module.__name__.partition(".")[0]
    if file is None or package in TRUSTED or package in sys.stdlib_module_names:
        return module.__name__ == "__main__"
    return not any(part in file for part in INSTALLED)


_AUDIT: list[Audit] = []
_UNAUDITED: list[Callable[..., Any]] = []


def install() -> None:
    """Audit every run from here on, until `uninstall()`; a second time does nothing."""
    from simulator.world.world import World

    if _UNAUDITED:
        return
    if not _AUDIT:
        _AUDIT.append(Audit())
    unaudited = World.run
    _UNAUDITED.append(unaudited)

    def run(self: World) -> None:
        with _AUDIT[0].inside():
            unaudited(self)

    World.run = run  # type: ignore[method-assign]


def uninstall() -> None:
    """Runs are as before."""
    from simulator.world.world import World

    if _UNAUDITED:
        World.run = _UNAUDITED.pop()  # type: ignore[method-assign]


def inside() -> AbstractContextManager[None]:
    """A part of a run goes on, which somebody has go on step by step; audited, if runs are."""
    return _AUDIT[0].inside() if _UNAUDITED else nullcontext()


@contextmanager
def audited(*, on: bool = True) -> Iterator[None]:
    """Audit the runs inside; or (on=False) let them be, where they would be audited."""
    before = bool(_UNAUDITED)
    (install if on else uninstall)()
    try:
        yield
    finally:
        (install if before else uninstall)()
