"""Sentences about a backup and a restore."""

from releve.core.formatting import counted, listed, plural
from releve.domain.backup.manifest import BackupManifest, SavedScenario

MB = 1_000_000


def describe_backup(name: str, manifest: BackupManifest, *, new_bytes: int, held_seconds: float) -> list[str]:
    """Write what a backup has. `held_seconds`: how long runs had to wait for it."""
    return [
        f"backup {name}: {counted(len(manifest.files), 'file')}, {manifest.size / MB:,.1f} MB; "
        f"{new_bytes / MB:,.1f} MB were copied; runs waited for {held_seconds:.1f} s",
        *map(_amounts, manifest.scenarios, manifest.scenarios.values()),
    ]


def describe_restore(
    name: str, manifest: BackupManifest, *, indexes: int, left_out: tuple[str, ...], behind: str, seconds: float
) -> list[str]:
    """Write what came back, and what does not work yet. `behind`: a commit that this clone does not have."""
    lines = [
        f"restored {name}: {counted(len(manifest.files), 'file')}, every sha256 and every event checked; "
        f"{indexes} {plural(indexes, 'index', 'indexes')} built; {seconds:.1f} s",
        *map(_amounts, manifest.scenarios, manifest.scenarios.values()),
    ]
    if behind:
        lines.append(f"note: this clone does not have the commit of the backup: git merge {behind[:12]} brings it")
    if left_out:
        lines.append(
            f"note: this clone has no scenarios/ folder of {listed(left_out)}: of them files and history came back"
        )
    return lines


def _amounts(scenario: str, saved: SavedScenario) -> str:
    serves = f"{saved.champion} serves" if saved.champion else "nothing serves"
    batches = f"{saved.batches:,} {plural(saved.batches, 'batch', 'batches')}"
    return f"  {scenario}: {serves}; {batches}, {counted(saved.rows, 'row')}; {counted(saved.events, 'event')}"
