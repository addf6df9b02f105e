"""Key bytes to hash to partition, and the sticky choice for null keys: through partitioning.py."""

from itertools import count
from typing import Any

from simulator.protocol.partitioning import (
    StickyPartitioner,
    cumulative_weights,
    murmur2,
    partition_of_key,
    positive_hash,
)


def cases(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [*document["cases"], *document.get("unkeyed_cases", [])]


def run(case: dict[str, Any], _document: dict[str, Any]) -> str | None:
    """Compare one key's numbers, or what a sticky partitioner chose."""
    if "key_hex" in case:
        key = bytes.fromhex(case["key_hex"])
        want = (case["murmur2"], case["to_positive"], case["partition"])
        spread = {count: partition_of_key(key, int(count)) for count in case["partition"]}
        got = (murmur2(key), positive_hash(key), spread)
        return None if got == want else f"expected {want}, got {got}"
    given, expected = case["input"], case["expected"]
    return _loaded(given, expected) if "queue_sizes" in given else _unloaded(given, expected)


def _choices(sticky: StickyPartitioner, available: list[int], total: int, n: int) -> list[int]:
    chosen = []
    for _ in range(n):
        chosen.append(sticky.partition(available, total))
        sticky.appended(1, available, total, batch_closed=True)
    return chosen


def _unloaded(given: dict[str, Any], expected: dict[str, Any]) -> str | None:
    total = given["partitions"]
    available = [one for one in range(total) if one not in given["unavailable"]]
    numbers = count()
    sticky = StickyPartitioner(given["sticky_batch_size"], lambda n: next(numbers) % n)
    seen = sorted(set(_choices(sticky, available, total, given["appends"])))
    right = (
        not set(seen) & set(expected.get("never", ()))
        and (not expected.get("uses_more_than_one") or len(seen) > 1)
        and ("always" not in expected or seen == [expected["always"]])
    )
    return None if right else f"expected {expected}, chose {seen}"


def _loaded(given: dict[str, Any], expected: dict[str, Any]) -> str | None:
    sizes, table = given["queue_sizes"], list(cumulative_weights(given["queue_sizes"]))
    numbers, every = count(), list(range(len(sizes)))
    sticky = StickyPartitioner(given["sticky_batch_size"], lambda n: next(numbers) % n)
    sticky.load(sizes, every)
    chosen = _choices(sticky, every, len(sizes), 2 * table[-1])
    got = {"cumulative_frequency_table": table, "times_chosen": [*map(chosen.count, every)]}
    return None if got == expected else f"expected {expected}, got {got}"
