"""Where something stands, as plain text, so that another process can load it: file or module, name.

An experiment holds functions, often nested ones, and such cannot be sent to a worker process; its
place can. Each process loads a place once.
"""

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from simulator.errors import BadInput


@attrs.frozen
class Reference:
    """A name in a file or module.

    Args:
        place: the path of a Python file (it ends in .py), or the dotted name of a module.
        name: what is meant there.
        arguments: if what is there is a function that builds the thing: what to call it with, as
            (keyword, value); None if it is the thing itself.
    """

    place: str
    name: str
    arguments: tuple[tuple[str, Any], ...] | None = None

    def __str__(self) -> str:
        return f"{self.place}:{self.name}"


_loaded: dict[Reference, Any] = {}


def load(reference: Reference) -> Any:
    """What stands there; loaded once a process, and kept.

    Raises:
        BadInput: there is no such file, module or name. What the file itself raises goes through.
    """
    if reference not in _loaded:
        module = load_module(reference.place)
        if not hasattr(module, reference.name):
            raise BadInput("it has no", reference.place, reference.name)
        found = getattr(module, reference.name)
        if reference.arguments is not None:
            found = found(**dict(reference.arguments))
        _loaded[reference] = found
    return _loaded[reference]


def load_module(place: str) -> ModuleType:
    """The module of a path that ends in .py, or of a dotted name.

    Raises:
        BadInput: there is no such file or module.
    """
    if place.endswith(".py"):
        return _from_file(place)
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name is not None and (place + ".").startswith(error.name + "."):
            raise BadInput("no such module:", "", place) from None
        raise


def _from_file(path: str) -> ModuleType:
    full = Path(path).resolve()
    # Two files may have one stem; and a file is one module, however its path is spelt.
    name = f"_{full.stem}_{hashlib.sha256(str(full).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    if not full.is_file():
        raise BadInput("no such file:", "", path)
    spec = importlib.util.spec_from_file_location(name, full)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
