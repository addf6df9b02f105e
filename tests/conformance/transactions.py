"""Transactions on one partition's log, and what each isolation level reads: through Partition.

The steps are those of the producer state, with reads and a high watermark that moves.
"""

from tests.conformance.producer_state import run

__all__ = ["run"]
