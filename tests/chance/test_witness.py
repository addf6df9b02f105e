"""A witness is data, and one line of text, and the same in both."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.chance import format_witness, parse_witness
from simulator.errors import BadInput

LINE = "drop@a>b/ProduceRequest#3=1;crash@billing-0/after_process#0=1"

names = st.text(
    st.characters(codec="utf-8", exclude_characters="#;=", exclude_categories=("Z", "Cc", "Cs")),
    min_size=1,
) | st.from_regex(r"(crash|drop|delay)@[a-z>/.:-]{1,12}", fullmatch=True)
numbers = st.integers(0, 10**19 - 1)
witnesses = st.dictionaries(st.tuples(names, numbers), numbers, max_size=5)


def test_a_line_tells_site_occurrence_and_value():
    witness = {("drop@a>b/ProduceRequest", 3): 1, ("crash@billing-0/after_process", 0): 1}

    assert parse_witness(LINE) == witness
    assert format_witness(witness) == LINE


@given(witnesses)
def test_what_is_written_reads_back_in_its_order(witness):
    text = format_witness(witness)

    assert list(parse_witness(text).items()) == list(witness.items())
    assert "\n" not in text


def test_no_deviation_is_the_empty_line():
    assert format_witness({}) == ""
    assert parse_witness("") == {}
    assert parse_witness(f"  {LINE}\n") == parse_witness(LINE)


@pytest.mark.parametrize(
    "part",
    [
        "drop@a#0",
        "drop@a=1",
        "#0=1",
        "drop@a#=1",
        "drop@a#x=1",
        "drop@a#0=",
        "drop@a#-1=1",
        "drop@a#0=-1",
        "drop@a#0=1.0",
        "drop@a#00=1",
        "drop@a#0=1=1",
        "drop @a#0=1",
        "drop@a#\u0663=1",
        "drop@a#0=" + "9" * 20,
        "",
        "\x00",
    ],
)
def test_a_choice_that_cannot_be_read_is_shown_with_its_place(part):
    with pytest.raises(BadInput) as caught:
        parse_witness(f"crash@b#0=1;{part};crash@c#0=1", "--witness")

    assert "--witness, choice 2: cannot be read" in str(caught.value)
    assert repr(part) in str(caught.value)
    assert "site#k=value" in str(caught.value)


def test_a_choice_that_stands_twice_is_refused():
    with pytest.raises(BadInput, match="choice 3: stands twice: 'a#0'"):
        parse_witness("a#0=1;b#0=1;a#0=2")


@pytest.mark.parametrize(
    ("witness", "text"),
    [
        ({("a b", 0): 1}, "'a b'"),
        ({("a", -1): 1}, "the k of a cannot be -1"),
        ({("a", 0): -1}, "the value of a cannot be -1"),
        ({("a", 0): 1.0}, "1.0"),
        ({("a", 0): True}, "True"),
        ({("a", 0): 10**19}, "10000000000000000000"),
        ({"a": 1}, "a choice is (site name, k), not 'a'"),
    ],
)
def test_data_that_no_line_can_tell_are_refused(witness, text):
    with pytest.raises(BadInput) as caught:
        format_witness(witness)

    assert text in str(caught.value)
