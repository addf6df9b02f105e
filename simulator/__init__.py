"""A deterministic, broker-free simulator of Kafka-style event-driven systems.

    Scenario (data) → World (SimPy) → Trace (data) → Verdict, Estimate, Picture (data)

Only the world runs; everything else is values and pure functions. The folders, from below:

    errors      what a user did wrong
    protocol    Kafka's rules, and the store's, as machines without clock, network or chance
    contracts   schemas, and which change of one breaks its readers
    chance      the one door for everything that is not determined
    scenario    what will happen, as data
    trace       what happened, as data
    world       virtual time, network, disks, crashes: the one folder that imports SimPy
    cluster     brokers, clients and stores: short processes that let machines decide
    checks      was the promise kept?
    histories   what anybody's clients did and saw, judged
    stats       numbers that know their error
    study       a question asked of many runs
    searching   from "it failed once" to the smallest story, or a proof
    report      what was found, shown
    matrix      which configuration allows which anomaly
    testing     for your own tests, with Hypothesis and pytest: import it by its name
    commands    the command line

The names below are all that models, experiments and you should need. Each is loaded when it is
first asked for, so that `import simulator` costs next to nothing (PEP 562).
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # The same names again, for type checkers: a test holds the two together.
    from simulator.chance.choosers import Chooser as Chooser
    from simulator.chance.choosers import Recording as Recording
    from simulator.chance.choosers import Seeded as Seeded
    from simulator.chance.choosers import Tape as Tape
    from simulator.chance.choosers import Zero as Zero
    from simulator.chance.healing import Healing as Healing
    from simulator.chance.laws import constant as constant
    from simulator.chance.laws import empirical as empirical
    from simulator.chance.laws import exponential as exponential
    from simulator.chance.laws import lognormal as lognormal
    from simulator.chance.laws import uniform as uniform
    from simulator.chance.plans import Overlay as Overlay
    from simulator.chance.plans import Replay as Replay
    from simulator.chance.plans import Sparse as Sparse
    from simulator.chance.portfolio import Portfolio as Portfolio
    from simulator.chance.prefix import Prefix as Prefix
    from simulator.chance.priorities import Priorities as Priorities
    from simulator.chance.scope import Scope as Scope
    from simulator.chance.witness import format_witness as format_witness
    from simulator.chance.witness import parse_witness as parse_witness
    from simulator.checks.answered import answered_at_last as answered_at_last
    from simulator.checks.catalogue import CHECKS as CHECKS
    from simulator.checks.check import Check as Check
    from simulator.checks.check import Watching as Watching
    from simulator.checks.check import all_of as all_of
    from simulator.checks.check import watch as watch
    from simulator.checks.converging import replicas_converge as replicas_converge
    from simulator.checks.delivery import never_applied_twice as never_applied_twice
    from simulator.checks.delivery import never_delivered_twice as never_delivered_twice
    from simulator.checks.delivery import never_invented as never_invented
    from simulator.checks.delivery import never_lost as never_lost
    from simulator.checks.groups import committed_never_regresses as committed_never_regresses
    from simulator.checks.groups import (
        never_committed_past_processed as never_committed_past_processed,
    )
    from simulator.checks.logs import acknowledged_is_read as acknowledged_is_read
    from simulator.checks.logs import failed_is_never_read as failed_is_never_read
    from simulator.checks.logs import offsets_agree as offsets_agree
    from simulator.checks.logs import polls_in_order as polls_in_order
    from simulator.checks.logs import sends_in_order as sends_in_order
    from simulator.checks.logs import stored_once as stored_once
    from simulator.checks.order import key_order as key_order
    from simulator.checks.order import key_read_order as key_read_order
    from simulator.checks.order import partition_order as partition_order
    from simulator.checks.progress import drained as drained
    from simulator.checks.read_models import Logged as Logged
    from simulator.checks.read_models import read_model as read_model
    from simulator.checks.reading import readers_agree as readers_agree
    from simulator.checks.reading import transactions_read_whole_by as transactions_read_whole_by
    from simulator.checks.real_time import end_offset_never_falls as end_offset_never_falls
    from simulator.checks.real_time import real_time_order as real_time_order
    from simulator.checks.replication import committed_is_kept as committed_is_kept
    from simulator.checks.replication import (
        high_watermark_never_falls as high_watermark_never_falls,
    )
    from simulator.checks.replication import one_leader_an_epoch as one_leader_an_epoch
    from simulator.checks.replication import replicas_agree as replicas_agree
    from simulator.checks.stable import stable_offset_moves_within as stable_offset_moves_within
    from simulator.checks.takeover import owners_apply_in_turn as owners_apply_in_turn
    from simulator.checks.transactions import (
        aborted_is_never_read_by as aborted_is_never_read_by,
    )
    from simulator.checks.transactions_output import (
        exactly_once_output_for as exactly_once_output_for,
    )
    from simulator.checks.verdict import Cases as Cases
    from simulator.checks.verdict import Status as Status
    from simulator.checks.verdict import Verdict as Verdict
    from simulator.cluster.cluster import Cluster as Cluster
    from simulator.cluster.context import Context as Context
    from simulator.cluster.producer import RecordMetadata as RecordMetadata
    from simulator.cluster.rebalance_listener import RebalanceListener as RebalanceListener
    from simulator.cluster.service import Serving as Serving
    from simulator.cluster.share_service import ShareServing as ShareServing
    from simulator.cluster.sinks import idempotent_sink as idempotent_sink
    from simulator.cluster.sinks import memory_sink as memory_sink
    from simulator.cluster.sinks import naive_sink as naive_sink
    from simulator.cluster.transforming import Transforming as Transforming
    from simulator.cluster.transforming import passed_on as passed_on
    from simulator.cluster.transforming_life import Output as Output
    from simulator.errors import BadInput as BadInput
    from simulator.errors import CommitFailed as CommitFailed
    from simulator.errors import EventBudgetExceeded as EventBudgetExceeded
    from simulator.errors import FencedInstance as FencedInstance
    from simulator.errors import InvalidProducerEpoch as InvalidProducerEpoch
    from simulator.errors import InvalidProducerIdMapping as InvalidProducerIdMapping
    from simulator.errors import InvalidTxnState as InvalidTxnState
    from simulator.errors import KafkaError as KafkaError
    from simulator.errors import NoOffsetForPartition as NoOffsetForPartition
    from simulator.errors import ProducerFailed as ProducerFailed
    from simulator.errors import ProducerFenced as ProducerFenced
    from simulator.errors import RebalanceInProgress as RebalanceInProgress
    from simulator.errors import ReplayDiverged as ReplayDiverged
    from simulator.errors import RequestTimedOut as RequestTimedOut
    from simulator.errors import RetriableError as RetriableError
    from simulator.errors import SimulatorError as SimulatorError
    from simulator.errors import StoreError as StoreError
    from simulator.errors import StoreTimeout as StoreTimeout
    from simulator.errors import TransactionAbortable as TransactionAbortable
    from simulator.errors import UndecidedVerdict as UndecidedVerdict
    from simulator.errors import UniqueViolation as UniqueViolation
    from simulator.errors import UnknownSite as UnknownSite
    from simulator.errors import UnsupportedAwaitable as UnsupportedAwaitable
    from simulator.histories.judging import Judgement as Judgement
    from simulator.histories.judging import judge_operations as judge_operations
    from simulator.histories.reading import read_history as read_history
    from simulator.histories.tracing import history_of_trace as history_of_trace
    from simulator.protocol.fetching import ConsumerRecord as ConsumerRecord
    from simulator.protocol.group_metadata import GroupMetadata as GroupMetadata
    from simulator.protocol.names import TopicPartition as TopicPartition
    from simulator.protocol.records import Record as Record
    from simulator.protocol.store import Add as Add
    from simulator.protocol.store import Delete as Delete
    from simulator.protocol.store import Get as Get
    from simulator.protocol.store import Insert as Insert
    from simulator.protocol.store import Upsert as Upsert
    from simulator.protocol.variant import Variant as Variant
    from simulator.report.figure import figure as figure
    from simulator.report.plots import results_plot as results_plot
    from simulator.report.spacetime import follow as follow
    from simulator.report.spacetime import spacetime as spacetime
    from simulator.scenario.event_log import read_event_log as read_event_log
    from simulator.scenario.faults import Clog as Clog
    from simulator.scenario.faults import Crash as Crash
    from simulator.scenario.faults import CrashHazard as CrashHazard
    from simulator.scenario.faults import Delay as Delay
    from simulator.scenario.faults import DiskLoss as DiskLoss
    from simulator.scenario.faults import Drop as Drop
    from simulator.scenario.faults import Duplicate as Duplicate
    from simulator.scenario.faults import FaultPlan as FaultPlan
    from simulator.scenario.faults import Hazards as Hazards
    from simulator.scenario.faults import Partition as Partition
    from simulator.scenario.faults import Pause as Pause
    from simulator.scenario.faults import PauseHazard as PauseHazard
    from simulator.scenario.faults import Skew as Skew
    from simulator.scenario.guarantee import AT_LEAST_ONCE as AT_LEAST_ONCE
    from simulator.scenario.guarantee import AT_MOST_ONCE as AT_MOST_ONCE
    from simulator.scenario.guarantee import EXACTLY_ONCE as EXACTLY_ONCE
    from simulator.scenario.guarantee import EXACTLY_ONCE_TRANSACTIONS as EXACTLY_ONCE_TRANSACTIONS
    from simulator.scenario.guarantee import GUARANTEES as GUARANTEES
    from simulator.scenario.guarantee import IN_MEMORY_SET as IN_MEMORY_SET
    from simulator.scenario.guarantee import Guarantee as Guarantee
    from simulator.scenario.parallel import Parallel as Parallel
    from simulator.scenario.scenario import Consumers as Consumers
    from simulator.scenario.scenario import Scenario as Scenario
    from simulator.scenario.topology import Link as Link
    from simulator.scenario.topology import Topic as Topic
    from simulator.scenario.topology import Topology as Topology
    from simulator.scenario.workload import WorkItem as WorkItem
    from simulator.scenario.workload import Workload as Workload
    from simulator.scenario.workload import bursts as bursts
    from simulator.scenario.workload import hot_key as hot_key
    from simulator.scenario.workload import no_keys as no_keys
    from simulator.scenario.workload import poisson as poisson
    from simulator.scenario.workload import skewed_keys as skewed_keys
    from simulator.scenario.workload import steady as steady
    from simulator.scenario.workload import uniform_keys as uniform_keys
    from simulator.searching.causality import Curve as Curve
    from simulator.searching.causality import causality as causality
    from simulator.searching.exact import Probability as Probability
    from simulator.searching.exact import probability as probability
    from simulator.searching.explore import explore as explore
    from simulator.searching.finishing import finish as finish
    from simulator.searching.found import Exploration as Exploration
    from simulator.searching.found import Failure as Failure
    from simulator.searching.machines import System as System
    from simulator.searching.machines import pooled as pooled
    from simulator.searching.machines import search_orders as search_orders
    from simulator.searching.prove import Proof as Proof
    from simulator.searching.prove import prove as prove
    from simulator.searching.rare import Rare as Rare
    from simulator.searching.rare import rare as rare
    from simulator.searching.schedules import Counterexample as Counterexample
    from simulator.searching.smallest import Smallest as Smallest
    from simulator.searching.smallest import smallest as smallest
    from simulator.stats.compare import Comparison as Comparison
    from simulator.stats.delivery import Delivery as Delivery
    from simulator.stats.estimate import Estimate as Estimate
    from simulator.study.experiment import Experiment as Experiment
    from simulator.study.experiment import Promise as Promise
    from simulator.study.measures import flag as flag
    from simulator.study.measures import number as number
    from simulator.study.measures import ratio as ratio
    from simulator.study.measures import samples as samples
    from simulator.study.measures import share as share
    from simulator.study.results import Results as Results
    from simulator.study.simulate import simulate as simulate
    from simulator.trace.causality import cone as cone
    from simulator.trace.causality import happens_before as happens_before
    from simulator.trace.codec import read_trace as read_trace
    from simulator.trace.codec import write_trace as write_trace
    from simulator.trace.history import History as History
    from simulator.trace.history import history as history
    from simulator.trace.trace import Entry as Entry
    from simulator.trace.trace import Trace as Trace
    from simulator.trace.trace import first_difference as first_difference

__version__ = "0.1.0"

_HOMES = {
    "simulator.errors": (
        "BadInput",
        "CommitFailed",
        "EventBudgetExceeded",
        "FencedInstance",
        "InvalidProducerEpoch",
        "InvalidProducerIdMapping",
        "InvalidTxnState",
        "KafkaError",
        "NoOffsetForPartition",
        "ProducerFailed",
        "ProducerFenced",
        "RebalanceInProgress",
        "ReplayDiverged",
        "RequestTimedOut",
        "RetriableError",
        "SimulatorError",
        "StoreError",
        "StoreTimeout",
        "TransactionAbortable",
        "UndecidedVerdict",
        "UniqueViolation",
        "UnknownSite",
        "UnsupportedAwaitable",
    ),
    "simulator.protocol.group_metadata": ("GroupMetadata",),
    "simulator.protocol.names": ("TopicPartition",),
    "simulator.protocol.records": ("Record",),
    "simulator.protocol.store": ("Add", "Delete", "Get", "Insert", "Upsert"),
    "simulator.protocol.fetching": ("ConsumerRecord",),
    "simulator.chance.laws": ("constant", "empirical", "exponential", "lognormal", "uniform"),
    "simulator.chance.choosers": ("Chooser", "Recording", "Seeded", "Tape", "Zero"),
    "simulator.chance.plans": ("Overlay", "Replay", "Sparse"),
    "simulator.chance.witness": ("format_witness", "parse_witness"),
    "simulator.protocol.variant": ("Variant",),
    "simulator.scenario.topology": ("Link", "Topic", "Topology"),
    "simulator.scenario.workload": (
        "WorkItem",
        "Workload",
        "bursts",
        "hot_key",
        "no_keys",
        "poisson",
        "skewed_keys",
        "steady",
        "uniform_keys",
    ),
    "simulator.scenario.event_log": ("read_event_log",),
    "simulator.scenario.guarantee": (
        "AT_LEAST_ONCE",
        "AT_MOST_ONCE",
        "EXACTLY_ONCE",
        "EXACTLY_ONCE_TRANSACTIONS",
        "GUARANTEES",
        "Guarantee",
        "IN_MEMORY_SET",
    ),
    "simulator.scenario.faults": (
        "Clog",
        "Crash",
        "CrashHazard",
        "Delay",
        "DiskLoss",
        "Drop",
        "Duplicate",
        "FaultPlan",
        "Hazards",
        "Partition",
        "Pause",
        "PauseHazard",
        "Skew",
    ),
    "simulator.scenario.parallel": ("Parallel",),
    "simulator.scenario.scenario": ("Consumers", "Scenario"),
    "simulator.trace.trace": ("Entry", "Trace", "first_difference"),
    "simulator.trace.codec": ("read_trace", "write_trace"),
    "simulator.trace.causality": ("cone", "happens_before"),
    "simulator.trace.history": ("History", "history"),
    "simulator.cluster.cluster": ("Cluster",),
    "simulator.cluster.producer": ("RecordMetadata",),
    "simulator.cluster.rebalance_listener": ("RebalanceListener",),
    "simulator.cluster.context": ("Context",),
    "simulator.cluster.service": ("Serving",),
    "simulator.cluster.share_service": ("ShareServing",),
    "simulator.cluster.sinks": ("idempotent_sink", "memory_sink", "naive_sink"),
    "simulator.cluster.transforming": ("Transforming", "passed_on"),
    "simulator.cluster.transforming_life": ("Output",),
    "simulator.checks.check": ("Check", "Watching", "all_of", "watch"),
    "simulator.checks.transactions": ("aborted_is_never_read_by",),
    "simulator.checks.transactions_output": ("exactly_once_output_for",),
    "simulator.checks.verdict": ("Cases", "Status", "Verdict"),
    "simulator.checks.delivery": (
        "never_applied_twice",
        "never_delivered_twice",
        "never_invented",
        "never_lost",
    ),
    "simulator.checks.order": ("key_order", "key_read_order", "partition_order"),
    "simulator.checks.groups": ("committed_never_regresses", "never_committed_past_processed"),
    "simulator.checks.progress": ("drained",),
    "simulator.checks.logs": (
        "acknowledged_is_read",
        "failed_is_never_read",
        "offsets_agree",
        "polls_in_order",
        "sends_in_order",
        "stored_once",
    ),
    "simulator.checks.replication": (
        "committed_is_kept",
        "high_watermark_never_falls",
        "one_leader_an_epoch",
        "replicas_agree",
    ),
    "simulator.checks.answered": ("answered_at_last",),
    "simulator.checks.converging": ("replicas_converge",),
    "simulator.checks.real_time": ("end_offset_never_falls", "real_time_order"),
    "simulator.checks.reading": ("readers_agree", "transactions_read_whole_by"),
    "simulator.checks.stable": ("stable_offset_moves_within",),
    "simulator.checks.read_models": ("Logged", "read_model"),
    "simulator.checks.takeover": ("owners_apply_in_turn",),
    "simulator.histories.reading": ("read_history",),
    "simulator.histories.judging": ("Judgement", "judge_operations"),
    "simulator.histories.tracing": ("history_of_trace",),
    "simulator.searching.smallest": ("Smallest", "smallest"),
    "simulator.searching.prove": ("Proof", "prove"),
    "simulator.searching.finishing": ("finish",),
    "simulator.searching.exact": ("Probability", "probability"),
    "simulator.searching.schedules": ("Counterexample",),
    "simulator.chance.scope": ("Scope",),
    "simulator.searching.machines": ("System", "pooled", "search_orders"),
    "simulator.searching.explore": ("explore",),
    "simulator.searching.found": ("Exploration", "Failure"),
    "simulator.searching.rare": ("Rare", "rare"),
    "simulator.searching.causality": ("Curve", "causality"),
    "simulator.chance.portfolio": ("Portfolio",),
    "simulator.chance.prefix": ("Prefix",),
    "simulator.chance.healing": ("Healing",),
    "simulator.chance.priorities": ("Priorities",),
    "simulator.checks.catalogue": ("CHECKS",),
    "simulator.stats.estimate": ("Estimate",),
    "simulator.stats.compare": ("Comparison",),
    "simulator.stats.delivery": ("Delivery",),
    "simulator.study.simulate": ("simulate",),
    "simulator.study.experiment": ("Experiment", "Promise"),
    "simulator.study.measures": ("flag", "number", "ratio", "samples", "share"),
    "simulator.study.results": ("Results",),
    "simulator.report.spacetime": ("follow", "spacetime"),
    "simulator.report.figure": ("figure",),
    "simulator.report.plots": ("results_plot",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 (the table is the one place where a name is listed)


def __getattr__(name: str) -> Any:
    """Load a public name from its home, once."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'simulator' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *_HOME_OF})
