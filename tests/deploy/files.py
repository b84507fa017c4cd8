"""What the files of deploy/, compose.yaml and .github say, as their readers take it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CONTAINERS = sorted((ROOT / "deploy" / "containers").glob("*.Containerfile"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").rglob("*.yaml"))
PAGES = "".join((ROOT / "docs" / name).read_text() for name in ("operate.md", "deploy.md", "settings.md", "storage.md"))
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
OURS = ("releve-service", "releve-worker")


def instructions(path: Path) -> list[tuple[str, str]]:
    """The instructions of a Containerfile, in order: (COPY, its arguments)."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in lines if line.strip())]


def copied(path: Path) -> list[str]:
    """What a Containerfile copies from the project."""
    lines = [rest.split() for name, rest in instructions(path) if name == "COPY" and "--from" not in rest]
    return [each for line in lines for each in line[:-1] if not each.startswith("--")]


def manifests() -> Iterator[dict[str, Any]]:
    """Every Kubernetes object; kustomize's own files are none."""
    for path in MANIFESTS:
        if path.name != "kustomization.yaml":
            yield from yaml.safe_load_all(path.read_text())


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """The pod that a workload starts; {} for an object that starts none."""
    spec = manifest.get("spec", {})
    return dict(spec.get("predictor") or spec.get("template", {}).get("spec") or {})


def containers_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    pod = pod_of(manifest)
    return [*pod.get("initContainers", []), *pod.get("containers", [])]


def tracked() -> list[Path]:
    """Files of the project as git has them, or would."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [Path(line) for line in listed.stdout.splitlines()]
