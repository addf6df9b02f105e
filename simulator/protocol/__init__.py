"""Kafka's rules, and the store's, as pure machines: no clock, no SimPy, no randomness.

names records messages errors machine settings   the vocabulary
journal log log_index producer_state partition   one log on its leader
cleaned segments topic_settings retention compaction cleaner   what of a log is kept, and how long
leader_epochs truncation replication replication_* replica_messages   replicas of one partition
partitioning                                     where keys go
assignors assignors_* subscriptions sticky_facts java_order   who reads which partition
group group_*                                    the classic group coordinator
consumer_group consumer_group_*                  the group coordinator of KIP-848
transactions transactions_* transaction_messages  the transaction coordinator
store, store_operations, store_settings          a transactional database: what is committed
store_sessions, store_transactions, store_locks  ... among others who are at it
store_statements, store_versions, store_slots    ... what they do and see; its log for readers
producer_settings sending admission dispatch accumulator idempotence   the producer client
transacting transaction_manager transaction_asking transaction_requests transaction_states
                                                 ... and what a transactional one has besides
consumer_settings polling membership positions fetching committing     the consumer client
in_progress                                      ... what it was handed and has not done with
wire whereabouts lookup starting backoff         what clients share
"""
