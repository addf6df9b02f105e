"""`python -m tests.conformance FAMILY FILE...`: each failing case, and how many passed.

Exit status: 0 when every case passed, 1 when one failed, 64 when there was nothing to judge.
"""

import sys

from tests.conformance import FAMILIES, CannotRun, adapter, judge, read

USAGE = 64


def main(arguments: list[str]) -> int:
    """Judge every file; a wrong file ends the command before any case is run."""
    if len(arguments) < 2:
        known = ", ".join(sorted(FAMILIES))
        print(
            f"usage: python -m tests.conformance FAMILY FILE... (families: {known})",
            file=sys.stderr,
        )
        return USAGE
    family, *paths = arguments
    try:
        adapter(family)
        documents = [(path, read(path, family)) for path in paths]
    except (CannotRun, ImportError) as error:
        print(error, file=sys.stderr)
        return USAGE
    passed = failed = 0
    for path, document in documents:
        for name, failure in judge(document, family):
            if failure is None:
                passed += 1
            else:
                failed += 1
                print(f"FAILED {path}: {name}: {failure}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
