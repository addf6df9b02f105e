#!/usr/bin/env python3
"""One command for each thing one does here; it needs nothing but Python.

    python3 dev.py demo         set up, and run the main experiment
    python3 dev.py test         set up, and run the tests
    python3 dev.py lint         ... style, types, layers, spelling
    python3 dev.py check        ... lint and test
    python3 dev.py determinism  ... the same run, under every supported Python and PyPy there is
    python3 dev.py compiled     ... the same run, compiled, and the tests of all that is compiled
    python3 dev.py nightly      ... everything that takes long, under each of them

Setting up makes `.venv` beside this file, with uv where it is on the PATH and with pip where it
is not; the versions are those of constraints.txt. A second time, what stands is used. What
follows `--` goes to the command: `python3 dev.py test -- tests/chance -x`; to the Python of what
is compiled: `python3 dev.py compiled -- -m benchmarks`.

This file must also be read by Pythons that are too old for the rest, so that they can say so.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
COMPILED = ROOT / ".compiled"
OF_COMPILED = (
    "tests/cluster", "tests/laws", "tests/protocol", "tests/world",
    "tests/experiments/test_experiments.py",
)  # fmt: skip
BESIDE = ("benchmarks", "docs", "experiments", "models", "tests", "conftest.py", "pyproject.toml")
SUPPORTED = ((3, 11), (3, 12), (3, 13))
NAMES = "3.11, 3.12 or 3.13"
DEMO = "delivery_guarantees"
WHAT_RUNS = ".[terminal]"
EVERYTHING = ".[dev]"


def fail(text: str) -> SystemExit:
    """The error that ends this command, in one line."""
    return SystemExit("dev.py: " + text)


def run(command: "list[str]", cwd: Path = ROOT, **variables: str) -> int:
    """Run in the repository, or elsewhere; the answer is the exit code."""
    sys.stdout.flush()
    environment = dict(os.environ, **variables)
    return subprocess.call(command, cwd=str(cwd), env=environment)


# --- Which Python --------------------------------------------------------------------------


def version_of(python: str) -> "tuple[int, int] | None":
    """Its (major, minor), or None if it does not run: a version manager's shim may not."""
    code = "import sys; print(*sys.version_info[:2])"
    try:
        output = subprocess.check_output([python, "-c", code], stderr=subprocess.DEVNULL)
        major, minor = output.split()
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None
    return int(major), int(minor)


def find_python(version: "tuple[int, int]") -> "str | None":
    """An installed Python of this version: on the PATH, or a version manager's."""
    name = "python{}.{}".format(*version)
    if sys.version_info[:2] == version:
        return sys.executable
    home = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    managed = sorted((home / "versions").glob("{}.{}.*/bin/{}".format(*version, name)))
    for candidate in [shutil.which(name)] + [str(path) for path in reversed(managed)]:
        if candidate and version_of(candidate) == version:
            return candidate
    return None


def find_pypy(version: "tuple[int, int]") -> "str | None":
    """An installed PyPy of this version of Python: on the PATH, or a version manager's."""
    name = "pypy{}.{}".format(*version)
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python")).expanduser()
    managed = sorted(pyenv.glob(f"{name}-*/bin/pypy3"))
    managed += sorted(uv.glob("pypy-{}.{}.*/bin/pypy*".format(*version)))
    for candidate in [shutil.which(name), shutil.which("pypy3")] + [str(one) for one in managed]:
        if candidate and version_of(candidate) == version:
            return candidate
    return None


def choose_python(named: "str | None") -> str:
    """The Python of the environment: the one named, else this one, else one that is found."""
    if named:
        found = shutil.which(named)
        if found is None or version_of(found) is None:
            raise fail(f"--python {named!r} does not run: give the path of a Python")
        if version_of(found) not in SUPPORTED:
            shown = "{}.{}".format(*version_of(found) or (0, 0))
            raise fail(f"Python {NAMES} is needed, {found} is {shown}")
        return found
    if sys.version_info[:2] in SUPPORTED:
        return sys.executable
    for version in reversed(SUPPORTED):
        found = find_python(version)
        if found:
            return found
    this = "{}.{}".format(*sys.version_info[:2])
    raise fail(
        f"Python {NAMES} is needed, this is {this} ({sys.executable}): run this file with one "
        "of those, or name one by --python"
    )


# --- Environments --------------------------------------------------------------------------


def python_in(environment: Path) -> str:
    """The Python of a virtual environment."""
    if os.name == "nt":
        return str(environment / "Scripts" / "python.exe")
    return str(environment / "bin" / "python")


def state_of(python: str, what: "list[str]") -> str:
    """A fingerprint of all that an environment's content follows from."""
    sums = hashlib.sha256()
    for part in [str(ROOT), str(version_of(python)), *what]:
        sums.update(part.encode() + bytes(1))
    for name in ("pyproject.toml", "constraints.txt"):
        sums.update(ROOT.joinpath(name).read_bytes())
    return sums.hexdigest()


def set_up(environment: Path, python: str, what: "list[str]") -> str:
    """Make the environment hold `what`, unless it does; the answer is its Python."""
    stamp = environment / "dev-state.txt"
    state = state_of(python, what)
    inside = python_in(environment)
    if stamp.is_file() and stamp.read_text() == state and version_of(inside):
        return inside
    print(f"Setting up {environment.name} ...")
    uv = shutil.which("uv")
    if not (uv and install_by_uv(uv, environment, python, what)):
        install_by_pip(environment, python, what)
    stamp.write_text(state)
    return inside


def install_by_uv(uv: str, environment: Path, python: str, what: "list[str]") -> bool:
    """Whether it worked: where it did not, pip is tried, which knows other settings."""
    made = run([uv, "venv", "--quiet", "--clear", "--python", python, str(environment)])
    inside = python_in(environment)
    install = [uv, "pip", "install", "--quiet", "--python", inside, "-c", "constraints.txt"]
    if made == 0 and run(install + what) == 0:
        return True
    print("uv did not get there; trying pip ...")
    return False


def install_by_pip(environment: Path, python: str, what: "list[str]") -> None:
    """The same by the standard library's venv, and pip."""
    if run([python, "-m", "venv", "--clear", str(environment)]) != 0:
        raise fail(f"no environment can be made by {python} (on Debian: python3-venv)")
    pip = [python_in(environment), "-m", "pip", "install", "--quiet", "-c", "constraints.txt"]
    if run([*pip, "--disable-pip-version-check", *what]) != 0:
        raise fail("the installation failed: see above; is a package index reachable?")


def main_environment(python: str, what: str = EVERYTHING) -> str:
    """The environment of everything but the other Pythons; one that holds more is kept."""
    stamp = ENVIRONMENT / "dev-state.txt"
    if stamp.is_file() and stamp.read_text() == state_of(python, ["-e", EVERYTHING]):
        what = EVERYTHING
    return set_up(ENVIRONMENT, python, ["-e", what])


# --- Commands ------------------------------------------------------------------------------


def demo(python: str, rest: "list[str]") -> int:
    """Run the main experiment."""
    command = [main_environment(python, WHAT_RUNS), "-m", "simulator", "run"]
    return run(command + (rest or [DEMO]))


def test(python: str, rest: "list[str]") -> int:
    """Run the tests."""
    # All of them on all cores; a few are done sooner by one process, and told at once.
    many = [] if rest else ["-n", str(os.cpu_count() or 1), "--dist", "worksteal"]
    return run([main_environment(python), "-m", "pytest", "-q", *many, *rest])


def lint(python: str, rest: "list[str]") -> int:
    """Run all linters, and say which of them found something."""
    inside = main_environment(python)
    scripts = Path(inside).parent
    failed = []
    for name, command in (
        ("ruff", [str(scripts / "ruff"), "check", *rest]),
        ("mypy", [inside, "-m", "mypy"]),
        ("import-linter", [str(scripts / "lint-imports"), "--no-cache", "--no-logo"]),
        ("codespell", [str(scripts / "codespell")]),
    ):
        print("==", name)
        if run(command) != 0:
            failed.append(name)
    print("lint:", "not clean: " + ", ".join(failed) if failed else "clean")
    return 1 if failed else 0


def check(python: str, rest: "list[str]") -> int:
    """Lint, then test; both run whatever the other finds."""
    return max(lint(python, []), test(python, rest))


def pypys(what: "list[str]") -> "list[str]":
    """The same for each PyPy; there the core is held to run, and not all that tests it."""
    found = []
    for version in SUPPORTED:
        name = "pypy{}.{}".format(*version)
        python = find_pypy(version)
        if python is None:
            print(name + ": not installed, skipped")
        else:
            found.append(set_up(ROOT / f".venv-{name}", python, what))
    return found


def pythons(what: "list[str]") -> "list[str]":
    """An environment with `what` for each supported Python; says by name which is missing."""
    found = []
    for version in SUPPORTED:
        python = find_python(version)
        if python is None:
            print("python{}.{}: not installed, skipped".format(*version))
            continue
        environment = ROOT / ".venv-{}.{}".format(*version)
        found.append(set_up(environment, python, what))
    return found


def determinism(python: str, rest: "list[str]") -> int:
    """Compare one run's digest over Pythons, processes and hash seeds."""
    inside = main_environment(python)
    others = os.pathsep.join(pythons(["-e", "."]) + pypys(["-e", "."]))
    command = [inside, "-m", "pytest", "-q", "-rA", "tests/test_determinism.py", *rest]
    return run(command, SIMULATOR_PYTHONS=others)


def compile_all(python: str) -> Path:
    """A copy of the repository whose package is compiled: anew if that has changed."""
    stamp = COMPILED / "dev-state.txt"
    sums = hashlib.sha256(state_of(python, ["compiled"]).encode())
    for source in [ROOT / "hatch_build.py", *sorted(ROOT.joinpath("simulator").rglob("*.py"))]:
        sums.update(str(source).encode() + bytes(1) + source.read_bytes())
    if not stamp.is_file() or stamp.read_text() != sums.hexdigest():
        print("Compiling, which takes some minutes ...", flush=True)
        shutil.rmtree(str(COMPILED), ignore_errors=True)
        code = "import hatchling.build, sys; hatchling.build.build_wheel(sys.argv[1])"
        if run([python, "-c", code, str(COMPILED)], HATCH_BUILD_HOOK_ENABLE_CUSTOM="1") != 0:
            raise fail("it cannot be compiled: see above; is there a C compiler?")
        for wheel in COMPILED.glob("*.whl"):
            shutil.unpack_archive(str(wheel), str(COMPILED), "zip")
            wheel.unlink()
        stamp.write_text(sums.hexdigest())
    for name in BESIDE:
        here, there = ROOT / name, COMPILED / name
        if here.is_dir():
            shutil.rmtree(str(there), ignore_errors=True)
            shutil.copytree(str(here), str(there), ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(str(here), str(there))
    return COMPILED


def compiled(python: str, rest: "list[str]") -> int:
    """Compile the package, and test that; or run Python there with the arguments."""
    inside = main_environment(python)
    folder = compile_all(inside)
    if rest:
        return run([inside, *rest], cwd=folder, PYTHONPATH=str(folder))
    same = [inside, "-m", "pytest", "-q", "tests/test_determinism.py", "-k", "compiled"]
    worst = run(same, SIMULATOR_COMPILED=str(folder))
    many = ["-n", str(os.cpu_count() or 1), "--dist", "worksteal"]
    command = [inside, "-m", "pytest", "-q", *many, *OF_COMPILED]
    return max(worst, run(command, cwd=folder, PYTHONPATH=str(folder)))


def nightly(python: str, rest: "list[str]") -> int:
    """Run every test, the long ones too, with many more examples, under each Python."""
    worst = determinism(python, [])
    for inside in pythons(["-e", EVERYTHING]):
        command = [inside, "-m", "pytest", "-q", "-m", "nightly or not nightly", "--timeout=3600"]
        print("==", inside)
        worst = max(worst, run(command + rest, SIMULATOR_HYPOTHESIS="nightly"))
    return worst


COMMANDS = {
    function.__name__: function
    for function in (demo, test, lint, check, determinism, compiled, nightly)
}


def main() -> int:
    """Parse, and do."""
    arguments = sys.argv[1:]
    rest: "list[str]" = []
    if "--" in arguments:
        at = arguments.index("--")
        arguments, rest = arguments[:at], arguments[at + 1 :]
    about = (__doc__ or "").split("\n\n")
    parser = argparse.ArgumentParser(
        prog="dev.py",
        description=about[0],
        epilog=about[1] + "\n\n" + about[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("--python", help="the Python to make the environment with")
    options = parser.parse_args(arguments)
    try:
        return COMMANDS[options.command](choose_python(options.python), rest)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
