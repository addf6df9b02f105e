"""Lint of an architecture: who sends what to whom, and which of it will do harm.

An `Architecture` is declared (in Python, or in a TOML file) or read off a trace. Each rule looks
for one anti-pattern, and each finding comes with a witness: a small run with the architecture's
own names and numbers, judged by a check, which shows the harm. What the architecture does not tell
is not taken for right: it is listed as open.
"""
