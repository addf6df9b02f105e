"""Compile the modules that every record passes through, by mypyc: about twice as fast.

    HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 pip install .

A build hook of hatchling; `python3 dev.py compiled` tests what it builds.

1. Python stays the only source, and without this hook, which is off by default, the wheel is pure:
   that one runs everywhere, in a browser too. What is compiled runs as what is not does, to the
   last entry of a trace; tests compare the two.
2. The modules that pyproject.toml names hold code and no attrs classes: mypyc takes the class that
   attrs replaces for the one that is used. Values stay in modules of their own, interpreted.
3. The sources are copied first, because what is built lies beside them, and would be imported
   instead of them from then on.

It needs a C compiler. Compiled code checks the types that it declares, and nothing in it can be
replaced: who plants bugs in the product, as `simulator matrix` does, does so in the pure package.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
PACKAGE = "simulator"
# What setuptools is given. Types that are missing are anything: a build has fewer packages about.
SETUP = """
import sys
from mypyc.build import mypycify
from setuptools import setup
setup(
    name="compiled",
    packages=[],
    ext_modules=mypycify(
        ["--config-file=mypy.ini", *sys.argv[1:]],
        opt_level="3", debug_level="0", target_dir="build", group_name="simulator",
    ),
    script_args=["--quiet", "build_ext", "--inplace"],
)
"""
MYPY = """
[mypy]
ignore_missing_imports = True
follow_imports = silent
"""


def compile_into(folder: Path, modules: "list[str]") -> "list[str]":
    """Copy the package into an empty folder, and compile modules of it there.

    Returns:
        The files that were built, from the folder.

    Raises:
        RuntimeError: mypyc or the C compiler refused, in their words.
    """
    unseen = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
    shutil.copytree(ROOT / PACKAGE, folder / PACKAGE, ignore=unseen)
    folder.joinpath("mypy.ini").write_text(MYPY, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SETUP, *(f"{PACKAGE}/{name}.py" for name in modules)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the modules cannot be compiled:\n{done.stdout}")
    built = [*folder.glob("*.*"), *folder.joinpath(PACKAGE).rglob("*.*")]
    return [one.relative_to(folder).as_posix() for one in built if one.suffix in (".so", ".pyd")]


class Compiled(BuildHookInterface):  # type: ignore[type-arg]
    """The hook: it adds what is compiled to a wheel that would be pure without."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: "dict[str, Any]") -> None:
        """Compile, unless the wheel only points to a checkout."""
        if self.target_name != "wheel" or version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory()  # Gone with us, if the compiler fails.
        for built in compile_into(Path(self._folder.name), self.config["modules"]):
            build_data["force_include"][str(Path(self._folder.name, built))] = built
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, *_: Any) -> None:
        """What was built is in the wheel."""
        if hasattr(self, "_folder"):
            self._folder.cleanup()
