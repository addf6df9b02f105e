"""Who lives in the world: short drivers that let machines decide.

connections  timeouts, reconnecting         alarm  a client's one timer
producer     the producer client          consumer  the consumer client
broker       partitions and fetches       coordinator  the groups of a broker
layout       who leads what               broker_settings  Kafka's names for both
store        a store node and its client  store_client  its open transactions
context      what a handler is given
service      poll, handle, commit         source  the load            sinks  effects
registry     schemas, on a node           serializing  values that say their schema
handlers     what a handler is            parallel  several at once, in one instance
cluster      what a model deploys on      deploy  what a scenario without a model runs
"""
