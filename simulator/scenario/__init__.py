"""What will happen, as data: nothing here runs, and every value is frozen and checked when made.

validation   what a user may write into a field, and how the rest is refused
topology     brokers, topics, links
workload     who sends what, and when
event_log    a real event log as a workload
guarantee    what a delivery guarantee's word means
faults       what goes wrong: at a named moment (FaultPlan) or by chance (Hazards)
parallel     several handlers at once in one instance of a group
scenario     all of it together
toml         a scenario read from a file (toml_text: and written to one)
"""
