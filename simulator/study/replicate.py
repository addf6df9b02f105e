"""Every cell under the same seeds; of each run a few numbers are kept, never its trace.

Rule 1: a run is a function of its cell and its seed, so it does not matter who runs it.
Rule 2: a run leaves a flat row: seed, what each measure tells, what each check says, and, if one
is broken, the witness that replays it.
Rule 3: what has been computed when something goes wrong, or the user has enough, is analysed and
said to be partial. Cells are run seed by seed, not one after the other, so that a partial study
still compares like with like.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, NamedTuple

import attrs

from simulator.errors import BadInput
from simulator.stats.stopping import Look, UntilNarrow, looks, narrow_enough
from simulator.study.analyse import Row, analysed, column_estimate
from simulator.study.executors import PartialResults, Progress, run_all
from simulator.study.experiment import Cell, Experiment
from simulator.study.measures import observe
from simulator.study.reference import Reference, load
from simulator.study.results import Results

CODES = {"kept": "k", "broken": "b", "cannot tell": "?"}


@attrs.frozen
class Observed:
    """What a run leaves behind, for measures to look at.

    Args:
        left: what measures are given: a trace, or what observers gathered of one.
        verdicts: for each check its status: `kept`, `broken` or `cannot tell`.
        witness: the one line that replays the run; kept if a check is broken.
    """

    left: Any
    verdicts: Mapping[str, str]
    witness: str = ""


Run = Callable[..., Observed]
"""From what `Experiment.scenario` made, the seed, the experiment's checks and, by its name, its
`gather`, if it has one."""


class Job(NamedTuple):
    """One run to do: which cell, under which seed. A tuple, because there may be millions."""

    cell: int
    seed: int


@attrs.frozen
class _OneRun:
    """The function of a job that is sent to workers; the experiment goes by its place."""

    run: Run
    reference: Reference | None
    experiment: Experiment | None

    def __call__(self, job: Job) -> Row:
        experiment = self.experiment
        if experiment is None:
            assert self.reference is not None, "neither an experiment nor its place"
            experiment = load(self.reference)
        return one_run(experiment, experiment.cell_at(job.cell), job.seed, self.run)


def one_run(experiment: Experiment, cell: Cell, seed: int, run: Run) -> Row:
    """One run of one cell, as its row.

    Raises:
        BadInput: a measure answers with what it should not, or a check has no verdict.
    """
    given = {} if experiment.gather is None else {"gather": experiment.gather}
    observed = run(experiment.scenario(cell.factors, seed), seed, experiment.checks, **given)
    told = tuple(
        observe(name, measure, observed.left) for name, measure in experiment.measures.items()
    )
    codes = []
    for check in experiment.check_names:
        status = observed.verdicts.get(check)
        if status not in CODES:
            fix = "one of " + ", ".join(CODES)
            raise BadInput(f"no verdict of check {check}:", experiment.name, status or "none", fix)
        codes.append(CODES[status])
    statuses = "".join(codes)
    return seed, told, statuses, observed.witness if "b" in statuses else ""


def replicate(
    experiment: Experiment,
    run: Run,
    *,
    reference: Reference | None = None,
    executor: Executor | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    chunk: int | None = None,
) -> Results:
    """All runs of an experiment, analysed.

    Args:
        run: runs one scenario; it must stand at the top of a module to be sent to workers.
        reference: where the experiment stands. Without it the experiment itself is sent, which
            only works if all its functions stand at the top of importable modules.
        executor: see `run_all`, also for workers, progress and chunk.

    Raises:
        BadInput: the declaration cannot be run as it is.
    """
    cells = experiment.cells()
    rows: list[list[Row]] = [[] for _ in cells]
    function = _OneRun(run, reference, None if reference is not None else experiment)
    done = 0
    look = Look(0, experiment.confidence)
    looked = 0
    for look in looks(experiment.rule, experiment.confidence):
        looked += 1
        jobs = [
            Job(index, experiment.first_seed + number)
            for number in range(done, look.runs)
            for index in range(len(cells))
        ]
        try:
            answers = run_all(
                function,
                jobs,
                executor=executor,
                workers=workers,
                progress=progress,
                chunk=chunk,
            )
        except PartialResults as partial:
            _keep(rows, jobs, partial.answers)
            return analysed(experiment, rows, look, looked, partial=_said(partial, cells, jobs))
        _keep(rows, jobs, dict(enumerate(answers)))
        done = look.runs
        if _enough(experiment, rows, look):
            break
    return analysed(experiment, rows, look, looked)


def _keep(rows: list[list[Row]], jobs: list[Job], answers: Mapping[int, Row]) -> None:
    for index, job in enumerate(jobs):
        if index in answers:
            rows[job.cell].append(answers[index])


def _enough(experiment: Experiment, rows: list[list[Row]], look: Look) -> bool:
    rule = experiment.rule
    if not isinstance(rule, UntilNarrow):
        return True
    return all(
        narrow_enough(rule, column_estimate(experiment, rule.measure, of, look.confidence))
        for of in rows
    )


def _said(partial: PartialResults, cells: tuple[Cell, ...], jobs: list[Job]) -> str:
    """Why the study is not whole, in the study's own words."""
    failure = partial.failure
    if failure is None:
        return partial.reason
    job = jobs[failure.index]
    place = f"the run of {cells[job.cell]} with seed {job.seed}"
    return f"{place} failed: {failure.kind}: {failure.message}"
