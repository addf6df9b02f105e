"""Hand-written traces of a shop, its connector and a copy: one line an entry, a millisecond apart.

    captured("+ a 1", "> c a 1", "! c a 1", "= a 1", "quiet")

+ a 1     the shop makes row a what it is; `-` for a value is no row
> u a 1   the connector tells it, with this op; a second word `@7/0` names the event
! u a 1   ... and it lies in the log
= a 1     the copy shows it
"""

from simulator.trace.trace import Trace

SHOP, COPY, CONNECTOR, TABLE = "shop", "copy", "connector", "orders"


def value_of(word):
    return None if word == "-" else int(word)


def captured(*lines, table=TABLE):
    """The trace; lines at one time are joined by ` & `."""
    trace = Trace()
    for at_ms, line in enumerate(lines):
        for part in line.split(" & "):
            _record(trace, at_ms * 1_000, part.split(), table)
    return trace


def _event_id(op, key, value, place=None):
    return place or f"{op}{key}{value}" + ("/tombstone" if op == "tombstone" else "")


def _record(trace, at_us, words, table):
    def tell(node, *event):
        trace.record(at_us, node, (), event)

    match words:
        case ["+", key, value, *other]:
            tell(SHOP, "effect_applied", *(other or [table]), key, value_of(value), "")
        case ["=", key, value, *other]:
            tell(COPY, "effect_applied", *(other or [table]), key, value_of(value), "e")
        case [">", op, key, value, *place]:
            event_id = _event_id(op, key, value, *place)
            lsn, _, number = (event_id.partition("@")[2] or "1/0").partition("/")
            told = (key, value_of(value), op, int(lsn), int(number.partition("/")[0]))
            tell(CONNECTOR, "change_captured", event_id, table, *told)
        case ["!", op, key, value, *place]:
            event_id = _event_id(op, key, value, *place)
            tell(CONNECTOR, "record_acknowledged", event_id, f"shop.{table}", 0, 0)
        case ["stored", done, lsn, events]:
            tell(CONNECTOR, "source_offset_stored", int(done), int(lsn), int(events))
        case ["noted", *said]:
            tell(CONNECTOR, "noted", " ".join(said), "1")
        case ["retained", count]:
            tell("watcher", "noted", "log retained", count)
        case ["crashed"]:
            tell(CONNECTOR, "node_crashed", "")
        case ["restarted"]:
            tell(CONNECTOR, "node_restarted", 1)
        case ["quiet"]:
            tell("world", "faults_ended")
            tell("world", "run_ended", "quiet")
        case ["cut"]:
            tell("world", "run_ended", "horizon")
        case _:
            raise AssertionError(words)
