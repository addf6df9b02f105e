"""One question a file, declared as an `Experiment`: `simulator list` names them.

Declaring does nothing; `simulator run NAME` runs it.
"""
