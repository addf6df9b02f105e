"""A change of a Protobuf schema is compatible, or not, or no change that anybody knows."""

import pytest

from simulator.contracts.protobuf import COMPATIBLE, INCOMPATIBLE, protobuf_incompatibilities
from simulator.errors import BadInput


def test_a_change_is_of_one_kind():
    assert not COMPATIBLE & INCOMPATIBLE
    assert protobuf_incompatibilities(["FIELD_ADDED", "PACKAGE_CHANGED", "FIELD_REMOVED"]) == (
        "PACKAGE_CHANGED",
    )
    with pytest.raises(BadInput, match="no kind of change: 'FIELD_PAINTED'"):
        protobuf_incompatibilities(["FIELD_PAINTED"])
