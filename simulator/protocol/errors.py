"""Kafka's protocol errors, with Kafka's names and codes: the ordinary no, as a value.

Each says whether it is *retriable* (the same request may succeed later; Errors.java and the
exception classes) and whether it is *definite* (the request certainly took no effect; a client
that gets an indefinite error must count its write as unknown, KAFKA-13574).

Not modelled: authorization, quotas, delegation tokens, SASL, topic administration,
and the errors of the share coordinator.
"""

from enum import Enum


class Error(Enum):
    """One protocol error: code, retriable?, definite?"""

    NONE = (0, False, True)
    UNKNOWN_SERVER_ERROR = (-1, False, False)
    OFFSET_OUT_OF_RANGE = (1, False, True)
    CORRUPT_MESSAGE = (2, True, True)
    UNKNOWN_TOPIC_OR_PARTITION = (3, True, True)
    LEADER_NOT_AVAILABLE = (5, True, True)
    NOT_LEADER_OR_FOLLOWER = (6, True, False)
    REQUEST_TIMED_OUT = (7, True, False)
    REPLICA_NOT_AVAILABLE = (9, True, True)
    MESSAGE_TOO_LARGE = (10, False, True)
    NETWORK_EXCEPTION = (13, True, False)
    COORDINATOR_LOAD_IN_PROGRESS = (14, True, True)
    COORDINATOR_NOT_AVAILABLE = (15, True, True)
    NOT_COORDINATOR = (16, True, True)
    INVALID_TOPIC_EXCEPTION = (17, False, True)
    RECORD_LIST_TOO_LARGE = (18, False, True)
    NOT_ENOUGH_REPLICAS = (19, True, True)
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = (20, True, False)
    INVALID_REQUIRED_ACKS = (21, False, True)
    ILLEGAL_GENERATION = (22, False, True)
    INCONSISTENT_GROUP_PROTOCOL = (23, False, True)
    INVALID_GROUP_ID = (24, False, True)
    UNKNOWN_MEMBER_ID = (25, False, True)
    INVALID_SESSION_TIMEOUT = (26, False, True)
    REBALANCE_IN_PROGRESS = (27, False, True)
    INVALID_COMMIT_OFFSET_SIZE = (28, False, True)
    INVALID_TIMESTAMP = (32, False, True)
    INVALID_PARTITIONS = (37, False, True)
    INVALID_REPLICATION_FACTOR = (38, False, True)
    NOT_CONTROLLER = (41, True, True)
    INVALID_REQUEST = (42, False, True)
    POLICY_VIOLATION = (44, False, True)
    OUT_OF_ORDER_SEQUENCE_NUMBER = (45, False, True)
    DUPLICATE_SEQUENCE_NUMBER = (46, False, True)
    INVALID_PRODUCER_EPOCH = (47, False, True)
    INVALID_TXN_STATE = (48, False, True)
    INVALID_PRODUCER_ID_MAPPING = (49, False, True)
    INVALID_TRANSACTION_TIMEOUT = (50, False, True)
    CONCURRENT_TRANSACTIONS = (51, True, True)
    TRANSACTION_COORDINATOR_FENCED = (52, False, True)
    OPERATION_NOT_ATTEMPTED = (55, False, True)
    KAFKA_STORAGE_ERROR = (56, True, False)
    UNKNOWN_PRODUCER_ID = (59, False, True)
    GROUP_ID_NOT_FOUND = (69, False, True)
    FENCED_LEADER_EPOCH = (74, True, True)
    UNKNOWN_LEADER_EPOCH = (75, True, True)
    STALE_BROKER_EPOCH = (77, False, True)
    OFFSET_NOT_AVAILABLE = (78, True, True)
    MEMBER_ID_REQUIRED = (79, False, True)
    PREFERRED_LEADER_NOT_AVAILABLE = (80, True, True)
    GROUP_MAX_SIZE_REACHED = (81, False, True)
    FENCED_INSTANCE_ID = (82, False, True)
    ELIGIBLE_LEADERS_NOT_AVAILABLE = (83, True, True)
    ELECTION_NOT_NEEDED = (84, True, True)
    INVALID_RECORD = (87, False, True)
    UNSTABLE_OFFSET_COMMIT = (88, True, True)
    PRODUCER_FENCED = (90, False, True)
    INVALID_UPDATE_VERSION = (95, False, True)
    UNKNOWN_TOPIC_ID = (100, True, True)
    DUPLICATE_BROKER_REGISTRATION = (101, False, True)
    BROKER_ID_NOT_REGISTERED = (102, False, True)
    INELIGIBLE_REPLICA = (107, False, True)
    NEW_LEADER_ELECTED = (108, False, True)
    FENCED_MEMBER_EPOCH = (110, False, True)
    UNRELEASED_INSTANCE_ID = (111, False, True)
    UNSUPPORTED_ASSIGNOR = (112, False, True)
    STALE_MEMBER_EPOCH = (113, False, True)
    TRANSACTION_ABORTABLE = (120, False, True)
    INVALID_RECORD_STATE = (121, False, True)
    SHARE_SESSION_NOT_FOUND = (122, True, True)
    INVALID_SHARE_SESSION_EPOCH = (123, True, True)

    def __init__(self, code: int, retriable: bool, definite: bool) -> None:
        self.code = code
        self.retriable = retriable
        self.definite = definite

    def __repr__(self) -> str:
        return self.name
