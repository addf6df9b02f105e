"""Systems and patterns, written on `simulator`'s public names alone.

patterns  one pattern a file, its wrong twins beside it
systems   small domains: their events, their handlers, their promises
"""
