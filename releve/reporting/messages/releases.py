"""What a release is made of, in words."""

from collections.abc import Iterator

from releve.core.formatting import counted
from releve.domain.evaluation.intervals import format_score_interval
from releve.domain.registry.release import Release
from releve.reporting.messages.index import describe_index


def release_lines(release: Release) -> Iterator[tuple[str, str]]:
    """List a release's parts, each with its name."""
    expected = release.expected
    score = f"{expected.metric} {format_score_interval(expected.score)}, measured on {counted(expected.rows, 'row')}"
    yield "model", release.model
    yield "model files", f"sha256 {release.model_digest}"
    yield "expected of it", score
    yield "learned", f"{counted(release.rows, 'labelled row')}, data version {release.data_version}"
    yield "commit", f"{release.revision} of releve/{release.scenario}"
    yield "index", f"{release.index_name}: {describe_index(release)}"
    if update := release.index_update:
        ended = f"; {counted(len(update.version.ended), 'row')} of before have ended" if update.version.ended else ""
        yield "newer rows in it", f"up to data version {update.data_version}, commit {update.revision}{ended}"
