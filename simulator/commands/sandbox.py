"""Where experiments are found: by path, never by an installed name.

`models` and `experiments` would be too common as import names in a stranger's site-packages. So
a wheel carries them as files, in `simulator/_sandbox/`; a checkout has them beside `simulator/`;
and `simulator copy` writes them wherever they are to be changed. `./experiments` comes first.
"""

import difflib
import sys
from pathlib import Path

import simulator
from simulator.commands.outcome import WrongUsage

FOLDERS = ("models", "experiments")


def packaged() -> Path:
    """The folder which holds the `models` and `experiments` that came with this package."""
    inside = Path(simulator.__file__).parent
    carried = inside / "_sandbox"
    return carried if carried.is_dir() else inside.parent


def roots() -> tuple[Path, ...]:
    """The folders whose `experiments` are looked at, in order."""
    here = Path.cwd()
    ours = packaged()
    return (here,) if here == ours else (here, ours)


def experiments() -> dict[str, Path]:
    """Every experiment by name; the first folder that has a name wins."""
    found: dict[str, Path] = {}
    for root in roots():
        for path in sorted((root / "experiments").glob("*.py")):
            if not path.stem.startswith("_"):
                found.setdefault(path.stem, path)
        # A folder with an __init__ is an experiment of several files.
        for path in sorted((root / "experiments").glob("*/__init__.py")):
            if (path.parent / "experiment.py").is_file():
                found.setdefault(path.parent.name, path.parent / "experiment.py")
    return found


def find(name: str) -> Path:
    """The file of an experiment, or of a scenario, by its name or path.

    Raises:
        WrongUsage: there is none.
    """
    if name.endswith((".py", ".toml")) or "/" in name or "\\" in name:
        path = Path(name)
        if path.is_file():
            return path.resolve()
        if path.is_dir():
            raise WrongUsage("is a folder, and no file:", "", name, "give an experiment's .py file")
        raise WrongUsage("there is no such file:", "", name, "see `simulator list` for names")
    known = experiments()
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "see `simulator list`"
    raise WrongUsage("there is no experiment called", "", name, hint)


def reachable(path: Path) -> str:
    """The path as text, once all that the file may import can be found, here and in workers.

    Spawned processes inherit `sys.path`. The file's own folder comes first, and before it the
    folder above any package that it is part of; the models that came with this package are
    found last, so that copies come before them.
    """
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    if str(packaged()) not in sys.path:
        sys.path.append(str(packaged()))
    return str(path)
