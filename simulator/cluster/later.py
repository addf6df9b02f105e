"""A request may be answered later than in the instant in which it is handled, or never."""

from typing import Any

LATER: Any = object()  # A handler's word that the answer comes later, or never.
