"""The only folder that knows SimPy: time, processes, the network, disks and the nemesis.

kernel   integer time, callbacks, processes behind gates
network  connections, in order, and what becomes of them
route    from one node to another
node     names, clocks, incarnations, crash points
disk     what a crash leaves
nemesis  faults, by plan and by chance
world    one run
ties     who goes first at one instant, where chance is asked
"""
