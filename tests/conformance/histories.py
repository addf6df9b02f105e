"""A history of a Kafka log to the anomalies in it: through simulator.histories.

A document is one case, in the form that `simulator check` reads. What it expects may be `asserted`
(an anomaly: all its cases), `asserted_absent`, `asserted_valid`, `derived` (a second checker's
errors and verdict), `intent` (what must and must not be there), and the order of versions.

Anomalies which other checkers do not have a name for are left out of the comparison: they say more,
and what they say is tested elsewhere. A search that ran out of time there is no error here.
"""

from typing import Any

from simulator.checks.verdict import Status
from simulator.histories.judging import Judgement, judge_operations
from simulator.histories.lost import unseen_series
from simulator.histories.measures import lags, worst_lag
from simulator.histories.operations import Operations
from simulator.histories.reading import FORMAT, history_of
from simulator.histories.versions import Versions

OUR_OWN = ("phantom", "G1a-unconfirmed")
TIMEOUT = "cycle-search-timeout"
# Of a case: what it may be known by. A check may tell more, or another one of equal witnesses.
COMPARED = ("key", "value", "values", "delta", "skipped", "op", "ops", "offset", "offsets", "index",
            "count", "writer", "reader", "max-read-index", "max-read")  # fmt: skip


def is_one(document: dict[str, Any]) -> bool:
    """Whether the document is a history: one case."""
    return document.get("format") == FORMAT


def cases(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Several histories in one document, or the one that it is."""
    found = [document] if is_one(document) else document["cases"]
    return [{"name": one.get("id", "?"), **one} for one in found]


def run(case: dict[str, Any], _document: dict[str, Any]) -> str | None:
    """Judge the history and compare."""
    recorded = history_of(case["history"], **{
        part: case[part] for part in ("id", "options") if part in case
    })  # fmt: skip
    judgement = judge_operations(recorded.operations, recorded.options)
    expected = case["expected"]
    failures = [
        *_asserted(expected.get("asserted", {}), judgement, recorded.operations),
        *_absent(expected.get("asserted_absent", ()), judgement),
        *_intent(expected.get("intent", {}), judgement),
        *_derived(expected.get("derived"), judgement, recorded.operations),
        *_ordered(expected.get("asserted_version_order", {}), recorded.operations),
    ]
    if "asserted_valid" in expected:
        failures.extend(_valid(expected["asserted_valid"], judgement))
    return "; ".join(failures) or None


def _valid(want: bool | None, judgement: Judgement) -> list[str]:
    """Whether the verdict is as wanted, by the anomalies that others know."""
    if want is None:
        return []
    bad = [name for name in judgement.bad if name not in OUR_OWN]
    is_kept = not bad and judgement.status is not Status.CANNOT_TELL
    return [] if is_kept == want else [f"expected valid {want}, but bad are {bad}"]


def _absent(names: Any, judgement: Judgement) -> list[str]:
    return [f"{name} was found" for name in names if name in judgement.met]


def _intent(intent: dict[str, Any], judgement: Judgement) -> list[str]:
    """What is meant may be meant with or without the anomalies of our own."""
    missing = [
        name
        for name in intent.get("must_report", ())
        if name not in judgement.met and f"{name}-unconfirmed" not in judgement.met
    ]
    is_kept = judgement.status is Status.KEPT
    agreed = intent.get("valid") == is_kept
    return [
        *(f"{name} was not found" for name in missing),
        *_absent(intent.get("must_not_report", ()), judgement),
        *([] if agreed else _valid(intent.get("valid"), judgement)),
    ]


def _asserted(
    expected: dict[str, Any], judgement: Judgement, operations: Operations
) -> list[str]:
    failures = []
    for name, want in expected.items():
        match name.replace("_", "-"):
            case "unseen-series":
                failures.extend(_series(want, operations))
            case "realtime-lag":
                got = [dict(zip(("time", "process", "key", "lag"), lag, strict=True))
                       for lag in lags(operations)]  # fmt: skip
                failures.extend([] if got == want else [f"{name}: expected {want}, got {got}"])
            case "worst-realtime-lag":
                worst = worst_lag(operations)
                failures.extend([] if worst == want else [f"{name}: wanted {want}, got {worst}"])
            case known:
                failures.extend(_same(known, want, judgement))
    return failures


def _series(want: list[dict[str, Any]], operations: Operations) -> list[str]:
    got = [{"time": time, "unseen": counts} for time, counts in unseen_series(operations)]
    short = [{"time": one["time"], "unseen": one["unseen"]} for one in want]
    return [] if got == short else [f"unseen: expected {short}, got {got}"]


def _derived(
    derived: dict[str, Any] | None, judgement: Judgement, operations: Operations
) -> list[str]:
    if derived is None:
        return []
    timed_out = TIMEOUT in derived["error_types"]
    wanted = [name for name in derived["error_types"] if name != TIMEOUT]
    got = sorted(name for name in judgement.met if name not in OUR_OWN)
    if timed_out:  # What its search did not come to, ours may have found.
        got = [name for name in got if not _is_cycle(name)]
        wanted = [name for name in wanted if not _is_cycle(name)]
    failures = [] if got == sorted(wanted) else [f"expected {sorted(wanted)}, found {got}"]
    for name in wanted:
        if name in derived.get("errors", {}):
            failures.extend(_same(name, derived["errors"][name], judgement))
    if not timed_out:
        bad = sorted(name for name in judgement.bad if name not in OUR_OWN)
        if bad != sorted(derived["bad_error_types"]):
            failures.append(f"expected bad: {sorted(derived['bad_error_types'])}, are {bad}")
        failures.extend(_valid(derived.get("valid"), judgement))
    return failures


def _is_cycle(name: str) -> bool:
    return name.startswith(("G0", "G1c")) or name.endswith("cycle-exists")


def _same(name: str, want: Any, judgement: Judgement) -> list[str]:
    """Whether the cases of an anomaly are those that are wanted, in any order."""
    got = judgement.findings[name].shown
    if name == "unseen":
        want, got = _unseen_wanted(want), {
            one["key"]: (one["unseen"], _sorted(one["messages"])) for one in got
        }  # fmt: skip
        return [] if want == got else [f"unseen: expected {want}, got {got}"]
    if want is True:
        return [] if got else [f"{name} was not found"]
    left = list(got)
    missing = []
    for one in want:
        fitting = next((other for other in left if _fits(one, other)), None)
        if fitting is None:
            missing.append(one)
        else:
            left.remove(fitting)
    if missing or left:
        return [f"{name}: missing {missing}, and beyond what was expected {left}"]
    return []


def _unseen_wanted(want: Any) -> dict[str, tuple[int, list[Any]]]:
    last = want[-1] if isinstance(want, list) else want
    return {
        key: (count, _sorted(last["messages"].get(key, ())))
        for key, count in last["unseen"].items()
        if count
    }


def _sorted(values: Any) -> list[Any]:
    return sorted(values, key=lambda value: (isinstance(value, str), value))


def _fits(want: dict[str, Any], got: dict[str, Any]) -> bool:
    """Cycles by their operations and the types of their edges; others by what is told of them."""
    if "cycle" in want:
        types = [step if isinstance(step, str) else step["type"] for step in want["steps"]]
        return (
            set(want["cycle"]) == set(got["cycle"])
            and sorted(types) == sorted(step["type"] for step in got["steps"])
        )  # fmt: skip
    if "scc" in want:
        return sorted(want["scc"]) == got["scc"]
    for part in COMPARED:
        # None is what nobody could know, or say.
        if want.get(part) is not None and want[part] != got.get(part):
            return False
    return True


def _ordered(expected: dict[str, Any], operations: Operations) -> list[str]:
    versions = Versions(operations)
    failures = []
    for name, want in expected.items():
        key = operations.keys.index(name)
        offsets = versions.offsets[key]
        several = {(at, index): values for at, index, values in versions.conflicts}
        log: list[Any] = [None] * (max(offsets, default=-1) + 1)
        for index, offset in enumerate(offsets):
            values = several.get((key, index), (versions.by_index[key][index],))
            log[offset] = sorted(operations.values[value] for value in values)
        by_value = {
            value: versions.last[operations.value(key, value)] for value in want["by_value"]
        }
        got = {"log": log, "by_value": by_value, "dense_length": len(offsets)}
        failures.extend(
            f"{name}.{part}: expected {want[part]}, got {got[part]}"
            for part in want
            if got.get(part) != want[part]
        )
    return failures
