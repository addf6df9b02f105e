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
    linting     which anti-patterns an architecture has, and what each one does
    testing     for your own tests, with Hypothesis and pytest: import it by its name
    commands    the command line

The names below are all that models, experiments and you should need. Each is loaded when it is
first asked for, so that `import simulator` costs next to nothing (PEP 562).
"""

import importlib
from typing import TYPE_CHECKING, Any

from simulator._homes import HOMES as _HOMES

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
    from simulator.checks.captured import changes_captured as changes_captured
    from simulator.checks.captured import deletes_are_buried as deletes_are_buried
    from simulator.checks.captured import log_retained_within as log_retained_within
    from simulator.checks.captured import offset_never_ahead as offset_never_ahead
    from simulator.checks.captured import repeats_are_rewinds as repeats_are_rewinds
    from simulator.checks.captured import repeats_bounded as repeats_bounded
    from simulator.checks.catalogue import CHECKS as CHECKS
    from simulator.checks.check import Check as Check
    from simulator.checks.check import Watching as Watching
    from simulator.checks.check import all_of as all_of
    from simulator.checks.check import watch as watch
    from simulator.checks.converging import replicas_converge as replicas_converge
    from simulator.checks.copying import copies_are_whole as copies_are_whole
    from simulator.checks.copying import copy_converges as copy_converges
    from simulator.checks.copying import copy_never_goes_back as copy_never_goes_back
    from simulator.checks.copying import copy_never_invents as copy_never_invents
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
    from simulator.cluster.connector import Connector as Connector
    from simulator.cluster.connector import ask_snapshot as ask_snapshot
    from simulator.cluster.context import Context as Context
    from simulator.cluster.handlers import handler_waits as handler_waits
    from simulator.cluster.handlers import steps_of as steps_of
    from simulator.cluster.producer import RecordMetadata as RecordMetadata
    from simulator.cluster.rebalance_listener import RebalanceListener as RebalanceListener
    from simulator.cluster.registry import SchemaClient as SchemaClient
    from simulator.cluster.registry import schema_registry as schema_registry
    from simulator.cluster.serializing import Deserializer as Deserializer
    from simulator.cluster.serializing import Serializer as Serializer
    from simulator.cluster.serving import Serving as Serving
    from simulator.cluster.share_service import ShareServing as ShareServing
    from simulator.cluster.sinks import idempotent_sink as idempotent_sink
    from simulator.cluster.sinks import memory_sink as memory_sink
    from simulator.cluster.sinks import naive_sink as naive_sink
    from simulator.cluster.transforming import Transforming as Transforming
    from simulator.cluster.transforming import passed_on as passed_on
    from simulator.cluster.transforming_life import Output as Output
    from simulator.contracts.avro_types import ABSENT as ABSENT
    from simulator.contracts.codecs import decode as decode
    from simulator.contracts.codecs import encode as encode
    from simulator.contracts.contracts import JSON as JSON
    from simulator.contracts.contracts import STRICT as STRICT
    from simulator.contracts.contracts import Schema as Schema
    from simulator.contracts.contracts import counterexample as counterexample
    from simulator.contracts.contracts import reasons as reasons
    from simulator.contracts.registry import Refused as Refused
    from simulator.contracts.registry import Registered as Registered
    from simulator.contracts.registry import Registry as Registry
    from simulator.errors import BadInput as BadInput
    from simulator.errors import CodecError as CodecError
    from simulator.errors import CommitFailed as CommitFailed
    from simulator.errors import DeadlockDetected as DeadlockDetected
    from simulator.errors import EventBudgetExceeded as EventBudgetExceeded
    from simulator.errors import FencedInstance as FencedInstance
    from simulator.errors import InvalidProducerEpoch as InvalidProducerEpoch
    from simulator.errors import InvalidProducerIdMapping as InvalidProducerIdMapping
    from simulator.errors import InvalidTxnState as InvalidTxnState
    from simulator.errors import KafkaError as KafkaError
    from simulator.errors import LockNotAvailable as LockNotAvailable
    from simulator.errors import NoOffsetForPartition as NoOffsetForPartition
    from simulator.errors import ProducerFailed as ProducerFailed
    from simulator.errors import ProducerFenced as ProducerFenced
    from simulator.errors import RebalanceInProgress as RebalanceInProgress
    from simulator.errors import ReplayDiverged as ReplayDiverged
    from simulator.errors import RequestTimedOut as RequestTimedOut
    from simulator.errors import RetriableError as RetriableError
    from simulator.errors import SerializationFailure as SerializationFailure
    from simulator.errors import SimulatorError as SimulatorError
    from simulator.errors import SlotLost as SlotLost
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
    from simulator.linting.architecture import FOR_EVER as FOR_EVER
    from simulator.linting.architecture import Architecture as Architecture
    from simulator.linting.architecture import EventDesign as EventDesign
    from simulator.linting.architecture import Handles as Handles
    from simulator.linting.architecture import Sends as Sends
    from simulator.linting.architecture import ServiceDesign as ServiceDesign
    from simulator.linting.architecture import TopicDesign as TopicDesign
    from simulator.linting.declared import architecture_of_toml as architecture_of_toml
    from simulator.linting.declared import load_architecture as load_architecture
    from simulator.linting.finding import Finding as Finding
    from simulator.linting.finding import Report as Report
    from simulator.linting.lint import lint as lint
    from simulator.linting.observed import architecture_of_trace as architecture_of_trace
    from simulator.protocol.backoff import DEAD_LETTER_TOPIC as DEAD_LETTER_TOPIC
    from simulator.protocol.backoff import ERROR_QUEUE as ERROR_QUEUE
    from simulator.protocol.backoff import FAIL as FAIL
    from simulator.protocol.backoff import LOG_AND_SKIP as LOG_AND_SKIP
    from simulator.protocol.backoff import NOT_TRIED as NOT_TRIED
    from simulator.protocol.backoff import PARK as PARK
    from simulator.protocol.backoff import RECOVER as RECOVER
    from simulator.protocol.backoff import SKIP as SKIP
    from simulator.protocol.backoff import Backoff as Backoff
    from simulator.protocol.backoff import Progress as Progress
    from simulator.protocol.backoff import Wait as Wait
    from simulator.protocol.backoff_laws import DecorrelatedJitter as DecorrelatedJitter
    from simulator.protocol.backoff_laws import EqualJitter as EqualJitter
    from simulator.protocol.backoff_laws import Exponential as Exponential
    from simulator.protocol.backoff_laws import Fixed as Fixed
    from simulator.protocol.backoff_laws import FullJitter as FullJitter
    from simulator.protocol.backoff_laws import bounds as bounds
    from simulator.protocol.backoff_presets import (
        axon_streaming_processor as axon_streaming_processor,
    )
    from simulator.protocol.backoff_presets import backoff_expo as backoff_expo
    from simulator.protocol.backoff_presets import backoff_fibo as backoff_fibo
    from simulator.protocol.backoff_presets import decorrelated_jitter as decorrelated_jitter
    from simulator.protocol.backoff_presets import equal_jitter as equal_jitter
    from simulator.protocol.backoff_presets import for_ever as for_ever
    from simulator.protocol.backoff_presets import full_jitter as full_jitter
    from simulator.protocol.backoff_presets import kafka_client as kafka_client
    from simulator.protocol.backoff_presets import kafka_connect as kafka_connect
    from simulator.protocol.backoff_presets import lecture_loop as lecture_loop
    from simulator.protocol.backoff_presets import lecture_promise as lecture_promise
    from simulator.protocol.backoff_presets import (
        masstransit_exponential as masstransit_exponential,
    )
    from simulator.protocol.backoff_presets import (
        masstransit_incremental as masstransit_incremental,
    )
    from simulator.protocol.backoff_presets import masstransit_redelivery as masstransit_redelivery
    from simulator.protocol.backoff_presets import nservicebus as nservicebus
    from simulator.protocol.backoff_presets import resilience4j as resilience4j
    from simulator.protocol.backoff_presets import retryable_topic as retryable_topic
    from simulator.protocol.backoff_presets import (
        spring_default_error_handler as spring_default_error_handler,
    )
    from simulator.protocol.backoff_presets import spring_exponential as spring_exponential
    from simulator.protocol.backoff_presets import spring_fixed as spring_fixed
    from simulator.protocol.backoff_presets import temporal_activity as temporal_activity
    from simulator.protocol.backoff_presets import tenacity_exponential as tenacity_exponential
    from simulator.protocol.backoff_presets import tenacity_incrementing as tenacity_incrementing
    from simulator.protocol.connector_history import Altered as Altered
    from simulator.protocol.connector_history import shapes_at as shapes_at
    from simulator.protocol.connector_records import CapturedTable as CapturedTable
    from simulator.protocol.connector_records import ChangeEvent as ChangeEvent
    from simulator.protocol.connector_records import read_change_event as read_change_event
    from simulator.protocol.connector_records import read_key as read_key
    from simulator.protocol.connector_settings import UNAVAILABLE as UNAVAILABLE
    from simulator.protocol.connector_snapshots import Capture as Capture
    from simulator.protocol.fetching import ConsumerRecord as ConsumerRecord
    from simulator.protocol.group_metadata import GroupMetadata as GroupMetadata
    from simulator.protocol.names import TopicPartition as TopicPartition
    from simulator.protocol.outbox_router import CapturedChange as CapturedChange
    from simulator.protocol.outbox_router import Dropped as Dropped
    from simulator.protocol.outbox_router import Emitted as Emitted
    from simulator.protocol.outbox_router import OutboxRouter as OutboxRouter
    from simulator.protocol.outbox_router import outbox_router as outbox_router
    from simulator.protocol.records import Record as Record
    from simulator.protocol.store_operations import Add as Add
    from simulator.protocol.store_operations import AdvisoryLock as AdvisoryLock
    from simulator.protocol.store_operations import AdvisoryUnlock as AdvisoryUnlock
    from simulator.protocol.store_operations import AlterTable as AlterTable
    from simulator.protocol.store_operations import CurrentXid as CurrentXid
    from simulator.protocol.store_operations import Delete as Delete
    from simulator.protocol.store_operations import EmitMessage as EmitMessage
    from simulator.protocol.store_operations import Get as Get
    from simulator.protocol.store_operations import Insert as Insert
    from simulator.protocol.store_operations import LockTable as LockTable
    from simulator.protocol.store_operations import Nextval as Nextval
    from simulator.protocol.store_operations import Row as Row
    from simulator.protocol.store_operations import Select as Select
    from simulator.protocol.store_operations import SnapshotXmin as SnapshotXmin
    from simulator.protocol.store_operations import TryAdvisoryLock as TryAdvisoryLock
    from simulator.protocol.store_operations import Update as Update
    from simulator.protocol.store_operations import Upsert as Upsert
    from simulator.protocol.store_slots import Commit as Commit
    from simulator.protocol.store_slots import RowChange as RowChange
    from simulator.protocol.store_slots import Slot as Slot
    from simulator.protocol.store_slots import SlotState as SlotState
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
    from simulator.trace.entry import Entry as Entry
    from simulator.trace.history import History as History
    from simulator.trace.history import history as history
    from simulator.trace.trace import Trace as Trace
    from simulator.trace.trace import first_difference as first_difference

__version__ = "0.1.0"

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
