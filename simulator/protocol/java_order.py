"""The order in which Java's hash tables name texts: where Kafka iterates over one, it decides.

Rule 1: a table has 16 places, and twice as many each time that it is more than three quarters full.
Rule 2: texts stand by place. Those in one place stand in the order in which they came in; here, in
that of the texts.

Sources: java.lang.String.hashCode, java.util.HashMap.
"""

from collections.abc import Collection

_UINT32 = 0xFFFFFFFF


def java_hash(text: str) -> int:
    """String.hashCode, as a signed 32-bit number (over UTF-16 units)."""
    encoded = text.encode("utf-16-be", "surrogatepass")
    value = 0
    for at in range(0, len(encoded), 2):
        value = (31 * value + (encoded[at] << 8 | encoded[at + 1])) & _UINT32
    return value - 2**32 if value >= 2**31 else value


def in_hash_order(texts: Collection[str]) -> list[str]:
    """The texts as a HashMap with these keys, filled one by one, iterates over them.

    >>> in_hash_order(["consumer1", "consumer2", "consumer3"])
    ['consumer3', 'consumer2', 'consumer1']
    """
    places = 16
    while len(texts) * 4 > places * 3:
        places *= 2

    def place(text: str) -> tuple[int, str]:
        value = java_hash(text) & _UINT32
        return ((value ^ value >> 16) & (places - 1), text)

    return sorted(texts, key=place)
