"""Consumer groups from outside: who owned what and for how long, and what was promised of that.

owning    what a run did to a group's partitions: without an owner, standing still, handed on
promises  checks of groups: no rebalance, nobody idle, everybody sees everything, done in time
running   a group under steady orders, and a deployment that restarts its instances in turn

How a group is set up, and which protocol it speaks, is up to the scenario: these only look.
"""
