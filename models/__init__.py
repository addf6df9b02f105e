"""Systems and patterns, written on `simulator`'s public names alone.

patterns  one pattern a file, its wrong twins beside it
systems   small domains: their events, their handlers, their promises
topics    keys, designs and order, and what a run did to partitions
groups    consumer groups from outside: who owned what, and what was promised of that
"""
