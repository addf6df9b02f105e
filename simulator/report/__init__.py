"""What was found, shown: text for terminals and files, SVG in pure Python for everything else.

    spacetime  a trace as rows on lanes: what every picture of a run reads
    figure     such rows as one static SVG
    table      plain tables; rich ones on a terminal
    findings   a study's results as tables, with a replay command for each broken promise
    plots      a study's results as dots with their intervals, in SVG

The same input gives the same bytes.
"""
