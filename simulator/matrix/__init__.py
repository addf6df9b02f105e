"""The guarantee matrix: configurations by anomalies, each cell with a proof or a smallest witness.

    values      a row (a configuration and its scope), a column (an anomaly), a cell
    scenarios   the small systems that rows are made of
    rows        all rows
    columns     all columns, and which planted bugs must show in each
    planted     the planted bugs: patches of the product that are taken back
    sweep       every schedule of a row's scope, judged by all columns at once
    weighing    how probable each anomaly is, under the row's law
    filling     a row's cells, with what they rest on
    keeping     cells that were reckoned before, by the text of the product
    telling     a cell in a word, in a page, and the whole matrix as a page

An absence counts if all of the scope was run, something was judged, the scope's faults happened,
and a bug planted in the product makes the anomaly appear in that very cell. Otherwise the cell
says that it cannot tell.
"""
