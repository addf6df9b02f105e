"""Coordinators' hard facts as records of their topics, and back.

Rule 1: a record's key names what the fact is about, and the newest of a key counts, so that the
topic may be compacted. A record without a value takes back what its key names.
Rule 2: what is decoded is equal to what was encoded; commits of several partitions become one
fact each.
Rule 3: keys and values are JSON, of which every class is named.

Sources: OffsetCommitKey/Value, GroupMetadataKey/Value, TransactionLogKey/Value (what stands in a
record; Kafka writes it in its own binary form).
"""

import json
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from types import ModuleType
from typing import Any

import attrs

from simulator.protocol import (
    consumer_group_messages,
    consumer_group_state,
    errors,
    group_state,
    messages,
    names,
    subscriptions,
    transactions_facts,
)
from simulator.protocol.group_state import (
    GroupMetadata,
    GroupRemoved,
    OffsetsCommitted,
    OffsetsForgotten,
    TransactionalOffsetsCommitted,
)
from simulator.protocol.messages import CommittedOffset
from simulator.protocol.names import TopicPartition
from simulator.protocol.records import Record
from simulator.protocol.transactions_facts import TransactionalIdRemoved, TransactionMetadata

MODULES: tuple[ModuleType, ...] = (
    group_state, consumer_group_state, transactions_facts, messages, consumer_group_messages,
    names, subscriptions, errors,
)  # fmt: skip

Entry = tuple[str, Any]  # A group's id, or "", and the fact.


def _is_word(found: Any) -> bool:
    if not isinstance(found, type):
        return False
    return attrs.has(found) or hasattr(found, "_fields") or issubclass(found, Enum)


# A class by its name and its module's, which two classes of one name are told apart by.
WORDS: dict[str, type] = {
    f"{found.__module__.rpartition('.')[2]}.{name}": found
    for module in MODULES
    for name, found in vars(module).items()
    if _is_word(found) and (found.__module__, found.__name__) == (module.__name__, name)
}
NAMES: dict[type, str] = {found: name for name, found in WORDS.items()}


def _plain(value: Any) -> Any:
    """A fact as JSON can say it: an object of one name for whatever has a class of ours."""
    kind = type(value)
    if kind in (str, int, bool, float, type(None)):
        return value
    if isinstance(value, Enum):
        return {NAMES[kind]: value.name}
    if kind in NAMES:
        inner = value if hasattr(kind, "_fields") else _fields(value)
        return {NAMES[kind]: [_plain(one) for one in inner]}
    if kind is tuple:
        return [_plain(one) for one in value]
    if kind is bytes:
        return {"bytes": value.hex()}
    if isinstance(value, type):
        return {"type": NAMES[value]}
    if isinstance(value, dict | frozenset):
        listed = sorted(value) if isinstance(value, frozenset) else value.items()
        return {type(value).__name__: [_plain(one) for one in listed]}
    raise AssertionError(f"a coordinator does not write {kind.__name__}")


def _fields(value: Any) -> list[Any]:
    return [getattr(value, field.name) for field in attrs.fields(type(value))]


def _built(told: Any) -> Any:
    """What `_plain` was given."""
    if isinstance(told, list):
        return tuple(_built(one) for one in told)
    if not isinstance(told, dict):
        return told
    ((name, inner),) = told.items()
    match name:
        case "bytes":
            return bytes.fromhex(inner)
        case "type":
            return WORDS[inner]
        case "dict":
            return dict(_built(inner))
        case "frozenset":
            return frozenset(_built(inner))
    kind: Any = WORDS[name]
    if issubclass(kind, Enum):
        return kind[inner]
    return kind(*(_built(one) for one in inner))


_text = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


# --- Encoding --------------------------------------------------------------------------------


def encode(entry: Entry) -> Iterator[Record]:
    """The records that tell a fact of a group (or, with "", of a transactional id)."""
    owner, fact = entry
    match fact:
        case OffsetsCommitted(member_id, generation, offsets, at_us):
            for where, offset, leader_epoch, metadata in offsets:
                said = f"{_quoted(metadata)},{_quoted(member_id)},{generation},{at_us}"
                value = f"[{offset},{leader_epoch},{said}]"  # As `_text` would; some commit often.
                yield Record(_offset_key(owner, where), value, "", at_us)
        case TransactionalOffsetsCommitted():
            producer_id, epoch, member_id, generation, offsets, at_us = fact
            for where, *one in offsets:
                told = [*one, member_id, generation, at_us, producer_id, epoch]
                yield Record(_offset_key(owner, where), _text(told), "", at_us)
        case OffsetsForgotten(partitions):
            for where in partitions:
                yield Record(_offset_key(owner, where), None, "")
        case GroupRemoved():
            yield Record(_text(["group", owner]), None, "")
        case TransactionalIdRemoved(transactional_id):
            yield Record(_text(["transaction", transactional_id]), None, "")
        case _:
            yield Record(_key(owner, fact), _text(_plain(fact)), "")


@lru_cache(maxsize=1_024)
def _quoted(text: str) -> str:
    return _text(text)


@lru_cache(maxsize=4_096)
def _offset_key(group_id: str, where: TopicPartition) -> str:
    return _text(["offset", group_id, where.topic, where.partition])


def _key(owner: str, fact: Any) -> str:
    match fact:
        case GroupMetadata():
            return _text(["group", owner])
        case TransactionMetadata(transactional_id):
            return _text(["transaction", transactional_id])
    about = getattr(fact, "member_id", "")
    return _text([NAMES[type(fact)], owner, about])


# --- Decoding --------------------------------------------------------------------------------


def decode(record: Record) -> Entry:
    """The fact that a record tells, and whose it is."""
    kind, owner, *rest = json.loads(record.key or "null")
    value = None if record.value is None else json.loads(record.value)
    if kind == "offset":
        return owner, _offset(TopicPartition(*rest), value)
    if value is None:
        if kind == "transaction":
            return "", TransactionalIdRemoved(owner)
        return owner, GroupRemoved()
    return ("" if kind == "transaction" else owner), _built(value)


def _offset(where: TopicPartition, value: Any) -> Any:
    if value is None:
        return OffsetsForgotten((where,))
    offset, leader_epoch, metadata, member_id, generation, at_us, *producer = value
    told = CommittedOffset(where, offset, leader_epoch, metadata)
    if producer:
        said = (*producer, member_id, generation, (told,), at_us)
        return TransactionalOffsetsCommitted._make(said)
    return OffsetsCommitted(member_id, generation, (told,), at_us)
