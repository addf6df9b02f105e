"""A case of an anomaly is told by what shows it: the key, the values, and operations by index."""

from typing import Any

import attrs

SHOWN_MOST = 1_000  # Cases of one anomaly that are kept; the others are only counted.
SKIPPED_MOST = 100  # Values that one case lists as jumped over.


@attrs.define
class Finding:
    """What was found of one anomaly.

    Attributes:
        reached: how many situations were examined in which there could have been a case.
        count: how many cases there are.
        shown: the first of them: for machines, and for `telling`.
    """

    reached: int = 0
    count: int = 0
    shown: list[dict[str, Any]] = attrs.field(factory=list)

    @property
    def wanted(self) -> bool:
        """Whether one more case would be kept: if not, count it and spare its details."""
        return len(self.shown) < SHOWN_MOST

    def add(self, **case: Any) -> None:
        """One more case."""
        self.count += 1
        if self.wanted:
            self.shown.append(case)


Findings = dict[str, Finding]
