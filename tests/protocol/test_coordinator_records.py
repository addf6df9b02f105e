"""What coordinators write can be read again, and the newest of a key counts."""

from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol import consumer_group_state as modern
from simulator.protocol import group_state as classic
from simulator.protocol import transactions_facts as txn
from simulator.protocol.coordinator_records import decode, encode
from simulator.protocol.messages import CommittedOffset
from simulator.protocol.names import TopicPartition
from simulator.protocol.subscriptions import Subscription

P = TopicPartition("orders", 1)
Q = TopicPartition("größe", 0)
MEMBER = classic.Member("m", None, "c", 10_000, 60_000, (("range", Subscription(("orders",))),))
FACTS = (
    ("g", classic.GroupMetadata(3, "consumer", "range", "m", (MEMBER,), 77)),
    ("g", classic.GroupRemoved()),
    ("g", classic.OffsetsForgotten((P,))),
    ("g", modern.GroupEpochBumped(4)),
    ("g", modern.MemberTargeted("m", (P, Q))),
    ("g", modern.MemberMoved("m", 4, 3, modern.MemberState.STABLE, (P,), (Q,))),
    ("g", modern.TopicsSeen((("orders", 3),))),
    ("", txn.TransactionMetadata("t", 5, 1, 60_000, txn.State.ONGOING, (P, Q), 1, 2)),
    ("", txn.TransactionalIdRemoved("t")),
)


def test_what_is_written_is_read():
    for entry in FACTS:
        (record,) = encode(entry)
        assert decode(record) == entry


@given(st.text(), st.text(), st.integers(0, 2**62), st.integers(-1, 2**31), st.text())
def test_commits_are_read_as_they_were_written(group, member, offset, epoch, metadata):
    told = (CommittedOffset(P, offset, epoch, metadata), CommittedOffset(Q, offset))
    fact = classic.OffsetsCommitted(member, 3, told, at_us=77)

    read = [decode(record) for record in encode((group, fact))]

    assert [one for one, _ in read] == [group, group]
    assert [one.offsets[0] for _, one in read] == list(told)
    assert all(one[:2] == fact[:2] and one.at_us == 77 for _, one in read)


def test_what_takes_back_has_the_key_of_what_it_takes_back():
    committed = classic.OffsetsCommitted("m", 3, (CommittedOffset(P, 7),), 1)
    pairs = (
        (("g", committed), ("g", classic.OffsetsForgotten((P,)))),
        (FACTS[0], ("g", classic.GroupRemoved())),
        (FACTS[-2], FACTS[-1]),
    )
    for said, taken_back in pairs:
        ((one,), (other,)) = tuple(encode(said)), tuple(encode(taken_back))
        assert one.key == other.key
        assert other.value is None


def test_groups_do_not_share_keys():
    ((one,), (other,)) = (tuple(encode((group, FACTS[0][1]))) for group in ("a", "b"))

    assert one.key != other.key
