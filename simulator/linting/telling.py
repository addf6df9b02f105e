"""A lint's report as text, as JSON, and as SARIF 2.1.0 (which code hosts and editors read)."""

from typing import Any

from simulator.linting.finding import Finding, Report
from simulator.linting.lint import all_rules

FORMAT = "simulator-lint/1"
SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(report: Report, *, verbose: bool = False) -> str:
    """Each finding with its harm and its cure; then what is open.

    Args:
        verbose: with the stories of the witness runs, and each open question.
    """
    lines = []
    for finding in report.findings:
        lines.append(str(finding))
        if finding.harm:
            lines.append(f"  seen: {finding.harm}")
            assert finding.witness is not None
            lines.append(f"  with: {finding.witness.line or 'no fault at all'}")
        lines.append(f"  cure: {finding.fix}{_tried(finding)}")
        if verbose and finding.witness is not None:
            told = finding.witness.verdict.explain(finding.witness.trace())
            lines += [f"    {line}" for line in told.splitlines()]
    if verbose:
        lines += [f"open: {one}" for one in report.open]
    many = len(report.findings)
    said = "no finding" if not many else "1 finding" if many == 1 else f"{many} findings"
    asked = len(report.rules)
    rules = "1 rule" if asked == 1 else f"{asked} rules"
    lines.append(f"{report.name}: {said} of {rules}; {len(report.open)} questions open")
    return "\n".join(lines)


def _tried(finding: Finding) -> str:
    if not finding.cured_in:
        return ""
    runs = "the same run" if finding.cured_in == 1 else f"all {finding.cured_in} such runs"
    return f" (no harm in {runs})"


def as_data(report: Report) -> dict[str, Any]:
    """The report as plain data, for JSON."""
    return {
        "format": FORMAT,
        "architecture": report.name,
        "verdict": str(report.status),
        "rules": list(report.rules),
        "findings": [_finding(one) for one in report.findings],
        "open": [
            {"rule": one.rule, "subject": one.subject, "missing": one.missing}
            for one in report.open
        ],
    }


def _finding(one: Finding) -> dict[str, Any]:
    said = {"rule": one.rule, "subject": one.subject, "said": one.said, "fix": one.fix}
    if one.witness is None:
        return said
    return {
        **said,
        "witness": {
            "scenario": one.witness.scenario.name,
            "choices": one.witness.line,
            "check": one.witness.verdict.check,
            "harm": one.harm,
            "cured_in": one.cured_in,
        },
    }


def as_sarif(report: Report, file: str, version: str) -> dict[str, Any]:
    """The report as a SARIF log, its findings located in the file as a whole.

    Args:
        file: what was looked at, as a relative path or a name.
        version: the simulator's.
    """
    known = all_rules()
    rules = [
        {
            "id": name,
            "shortDescription": {"text": known[name].title},
            "fullDescription": {"text": known[name].why},
            "help": {"text": known[name].fix},
        }
        for name in report.rules
    ]
    results = [
        {
            "ruleId": one.rule,
            "ruleIndex": report.rules.index(one.rule),
            "level": "warning",
            "message": {"text": _message(one)},
            "locations": [
                {
                    "physicalLocation": {"artifactLocation": {"uri": file}},
                    "logicalLocations": [{"fullyQualifiedName": one.subject}],
                }
            ],
        }
        for one in report.findings
    ]
    driver = {"name": "simulator lint", "version": version, "rules": rules}
    return {
        "$schema": SARIF,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }


def _message(one: Finding) -> str:
    seen = f" Seen: {one.harm}." if one.harm else ""
    return f"{one.subject}: {one.said}.{seen} Cure: {one.fix}."
