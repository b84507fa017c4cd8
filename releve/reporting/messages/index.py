"""What is said of a vector index, for release, card and page."""

from releve.domain.neighbours.index_check import K
from releve.domain.registry.release import Release


def describe_index(release: Release) -> str:
    """Write how the rows of a release are searched, and how many of the nearest are found."""
    design, check = release.index_design, release.index_check
    parts = [f"{design.type} by {design.metric}, {release.index_rows} rows"]
    parts += [f"can be filtered by {', '.join(design.filters)}"] if design.filters else []
    if check is None:
        return "; ".join([*parts, "recall was not measured"])
    parts.append(f"recall@{K} {check.recall:.3f} beside exact search")
    if check.filtered_recall is not None and check.selectivity is not None:
        parts.append(
            f"{check.filtered_recall:.3f} under filters that leave as few as {check.selectivity:.0%} of the rows"
        )
    return "; ".join(parts)
