"""Draws the pictures that the README and these pages show: `python docs/pictures.py`.

    one_crash.svg   the same crash under three guarantees, from experiments/delivery_guarantees.py

tests/report/test_readme_figure.py fails when a picture is not what this would draw.
"""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))


def one_crash() -> str:
    """One crash, three guarantees."""
    drawn: str = importlib.import_module("experiments.delivery_guarantees").one_crash_figure()
    return drawn


PICTURES = {"one_crash.svg": one_crash}


def main() -> None:
    """Draw them all."""
    for name, draw in PICTURES.items():
        (HERE / name).write_text(draw(), encoding="utf-8")
        print(f"drawn: docs/{name}")


if __name__ == "__main__":
    main()
