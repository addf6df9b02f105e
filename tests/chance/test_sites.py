"""A site's name is one that a witness can hold."""

import pytest

from simulator.chance import CHOICE, CRASH, FAULT_CLASSES, Site
from simulator.errors import BadInput


def test_a_site_is_a_value():
    assert Site("crash@a/after_process", CRASH) == Site("crash@a/after_process", CRASH)
    assert Site("key@producer").fault_class == CHOICE
    assert len(set(FAULT_CLASSES)) == 9


@pytest.mark.parametrize("name", ["", "a b", "a#0", "a;b", "a=1", "a\n", "a\u00a0b", None, 7])
def test_a_name_that_no_witness_can_hold_is_refused(name):
    with pytest.raises(BadInput, match="not a site's name"):
        Site(name, CRASH)


def test_an_unknown_class_of_fault_is_refused_and_the_known_are_named():
    with pytest.raises(BadInput, match=r"'crush'.*one of crash, drop"):
        Site("crash@a", "crush")
