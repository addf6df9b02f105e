"""Parallel handlers as data: what a field may hold, in Python and in a file."""

import pytest

from simulator.errors import BadInput
from simulator.scenario.parallel import Parallel
from simulator.scenario.scenario import Consumers, Scenario
from simulator.scenario.toml import dumps, loads


def test_without_it_a_service_handles_one_record_after_the_other():
    assert Consumers().parallel is None
    assert loads("[consumers]").consumers.parallel is None
    assert "parallel" not in dumps(Scenario())


def test_the_defaults_lose_nothing_and_keep_the_order_of_keys():
    made = Parallel()

    assert (made.by, made.commits, made.on_revoked) == ("key", "gap_aware", "wait")
    assert (made.workers, made.most_in_hand) == (16, 32)
    assert Parallel(workers=3, in_hand=7).most_in_hand == 7


@pytest.mark.parametrize(
    "made", [Parallel(), Parallel("record", 3, "naive", "drop", 9), Parallel(by="partition")]
)
def test_a_file_says_all_of_it(made):
    scenario = Scenario(consumers=Consumers(parallel=made))

    assert loads(dumps(scenario)) == scenario


def test_an_empty_table_is_the_default():
    assert loads("[consumers.parallel]").consumers.parallel == Parallel()


REFUSED = [
    ("by", "keys", "must be one of partition, key, record: 'keys' (did you mean 'key'?)"),
    ("workers", 0, "must be a whole number from 1 to 10000: 0"),
    ("commits", "gaps", "must be one of gap_aware, naive: 'gaps'"),
    ("on_revoked", "stay", "must be one of wait, drop: 'stay'"),
    ("in_hand", 0, "must be a whole number from 1: 0"),
]


@pytest.mark.parametrize(("field", "value", "said"), REFUSED)
def test_a_mistake_is_refused_with_its_value(field, value, said):
    with pytest.raises(BadInput) as refused:
        Parallel(**{field: value})
    assert f"Parallel.{field}: {said}" in str(refused.value)

    with pytest.raises(BadInput) as refused:
        loads(f"[consumers.parallel]\n{field} = {value!r}")
    assert f"consumers.parallel.{field}: {said}" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker = 3", "unknown field 'worker' (did you mean 'workers'?)"),
        ("workers = true", "consumers.parallel.workers: must be a whole number: True"),
        ("workers = 2.0", "consumers.parallel.workers: must be a whole number: 2.0"),
    ],
)
def test_a_file_is_read_strictly(text, said):
    with pytest.raises(BadInput) as refused:
        loads(f"[consumers.parallel]\n{text}")

    assert said in str(refused.value)


def test_it_is_no_word():
    with pytest.raises(BadInput, match="must be a table: 'key'"):
        loads('[consumers]\nparallel = "key"')
    with pytest.raises(BadInput, match="must be a Parallel: 'key'"):
        Consumers(parallel="key")
