"""Texts stand as Java's HashMap names them; the expectations are what OpenJDK 17 answered."""

from simulator.protocol.java_order import in_hash_order, java_hash


def test_the_hash_is_javas():
    assert java_hash("") == 0
    assert java_hash("hello") == 99162322
    assert java_hash("polygenelubricants") == -(2**31)
    assert java_hash("\U0001f600") == 0xD83D * 31 + 0xDE00  # Two UTF-16 units.


def test_a_small_table_has_sixteen_places():
    assert in_hash_order(["m19-0", "n40", "n41"]) == ["n41", "n40", "m19-0"]
    assert in_hash_order(["consumer1", "consumer2", "consumer3"]) == [
        "consumer3",
        "consumer2",
        "consumer1",
    ]


def test_a_table_doubles_when_it_is_more_than_three_quarters_full():
    """chr(1) to chr(20) hash to their own numbers: 12 of them fill 16 places, 13 need 32."""
    twelve = [chr(number) for number in range(9, 21)]
    thirteen = [chr(number) for number in range(8, 21)]

    assert [ord(text) for text in in_hash_order(twelve)] == [*range(16, 21), *range(9, 16)]
    assert [ord(text) for text in in_hash_order(thirteen)] == [*range(8, 21)]
