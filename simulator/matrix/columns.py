"""The anomalies of the matrix, each found by a check, and the bugs that must be able to show it."""

from collections.abc import Mapping

from simulator.checks.catalogue import CHECKS
from simulator.matrix import planted as bugs
from simulator.matrix.resting import comes_to_rest
from simulator.matrix.values import Column

_EARLY = (
    bugs.acknowledges_what_it_sends,
    bugs.loses_what_was_not_flushed,
    bugs.takes_what_too_few_would_have,
    bugs.acknowledges_before_followers_have_it,
)

COLUMNS: Mapping[str, Column] = {
    column.name: column
    for column in (
        Column("lost-from-log", CHECKS["acknowledged_is_read"], "lost-write", _EARLY),
        Column(
            "stored-twice", CHECKS["stored_once"], "duplicate",
            (bugs.forgets_producers, bugs.retries_what_it_may_not, bugs.sends_each_record_twice),
        ),
        Column(
            "reordered-in-log", CHECKS["sends_in_order"], "int-nonmonotonic-send",
            (bugs.retries_in_any_order, bugs.has_several_in_flight, bugs.sends_the_second_first),
        ),
        Column(
            "inconsistent-offsets", CHECKS["offsets_agree"], "inconsistent-offsets",
            (bugs.says_another_offset, *_EARLY[1:]),
        ),
        Column(
            "committed-undone", CHECKS["committed_is_kept"], "",
            (bugs.loses_what_was_not_flushed, bugs.believes_whoever_was_in_sync,
             bugs.moves_its_mark_alone),
        ),
        Column("lost", CHECKS["never_lost"], "", (bugs.commits_what_it_hands_out, *_EARLY)),
        Column(
            "applied-twice", CHECKS["never_applied_twice"], "",
            (bugs.forgets_producers, bugs.applies_before_it_marks, bugs.forgets_commits,
             bugs.retries_what_it_may_not, bugs.reads_what_was_aborted,
             bugs.sends_each_record_twice),
        ),
        Column(
            "applied-out-of-order", CHECKS["key_order"], "",
            (bugs.holds_one_back, bugs.retries_in_any_order),
        ),
        Column(
            "read-out-of-order", CHECKS["polls_in_order"], "nonmonotonic-poll",
            (bugs.holds_one_back,),
        ),
        Column(
            "offset-goes-back", CHECKS["committed_never_regresses"], "",
            (bugs.commits_where_it_began, bugs.forgets_commits),
        ),
        Column(
            "committed-too-early", CHECKS["never_committed_past_processed"], "",
            (bugs.commits_what_it_hands_out, bugs.holds_one_back),
        ),
        Column(
            "two-owners", CHECKS["one_owner"], "",
            (bugs.gives_to_everybody, bugs.waits_for_no_former_owner), consumers=2,
        ),
        Column(
            "aborted-read", CHECKS["aborted_is_never_read"], "G1a",
            (bugs.reads_what_was_aborted, bugs.reads_up_to_the_high_watermark),
        ),
        Column(
            "torn-transaction", CHECKS["transactions_read_whole"], "",
            (bugs.skips_what_was_committed, bugs.holds_one_back),
        ),
        Column("stuck", comes_to_rest, "", (bugs.hands_out_one_only, bugs.commits_where_it_began)),
    )
}  # fmt: skip

__all__ = ["COLUMNS"]
