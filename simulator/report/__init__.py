"""What was found, shown: text for terminals and files, SVG in pure Python for everything else.

    spacetime  a trace as rows on lanes: what every picture of a run reads; following an event
    rows       the values that those are: lanes, rows
    reading    one pass over a trace, which makes them
    drafts     rows that are not finished yet, while it is being read
    figure     runs as one static SVG, one below the other, on one time axis
    panel      one run of it: its lanes, its axis, its marks
    marks      what each kind of row looks like
    legend     the line that says so
    table      plain tables; rich ones on a terminal
    findings   a study's results as tables, with a replay command for each broken promise
    plots      a study's results as dots with their intervals, in SVG

The same input gives the same bytes.
"""
