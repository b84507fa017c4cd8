"""What came of the checks: a table for people, and JSON."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from conformance.oip.check import FAILED, PASSED, SKIPPED, ConformanceResult

MARKS = {PASSED: "ok", FAILED: "FAILED", SKIPPED: "skipped"}


def counts(results: Sequence[ConformanceResult]) -> dict[str, int]:
    """Count the outcomes."""
    found = Counter(result.outcome for result in results)
    return {outcome: found[outcome] for outcome in (PASSED, FAILED, SKIPPED)}


def as_table(results: Sequence[ConformanceResult], *, verbose: bool) -> str:
    """Write a line per check; what did not pass has the reason and, failed, the sentence that it rests on."""
    width = max(len(result.check.name) for result in results)
    lines = []
    for result in results:
        clauses = result.check.clauses
        lines.append(f"{MARKS[result.outcome]:8}{result.check.name:{width}}  {result.check.title}")
        if result.outcome != PASSED:
            lines.append(f"{'':10}{result.found}")
        shown = clauses if verbose else clauses[: result.outcome == FAILED]
        lines += [f"{'':10}{each.source.split('/')[-1]}, {each.section}: {each.sentence}" for each in shown]
    of = ", ".join(f"{count} {outcome}" for outcome, count in counts(results).items())
    return "\n".join([*lines, "", f"{of}, of {len(results)} checks"])


def as_json(results: Sequence[ConformanceResult], *, url: str, model: str) -> dict[str, Any]:
    """Return the same as an object."""
    return {
        "url": url,
        "model": model,
        "counts": counts(results),
        "checks": [
            {
                "name": result.check.name,
                "title": result.check.title,
                "outcome": result.outcome,
                "found": result.found or None,
                "clauses": [
                    {"source": each.source, "section": each.section, "sentence": each.sentence}
                    for each in result.check.clauses
                ],
            }
            for result in results
        ],
    }
