"""The manifests ask what the programs answer; their schemas: tests/compatibility/test_delivery_files.py."""

import re
from typing import Any

import pytest

from releve.adapters.kubeflow import SECRET, SECRET_KEYS
from tests.deploy.files import CONTAINERS, PAGES, ROOT, containers_of, instructions, manifests, pod_of

ALL = list(manifests())
WORKLOADS = [each for each in ALL if pod_of(each)]
NAMED = {(each["kind"], each["metadata"]["name"]) for each in ALL}
OPEN = (  # what answers without a token, as the programs have it
    *re.findall(r'"(/livez|/readyz)"', (ROOT / "releve/serving/application.py").read_text()),
    *re.findall(r'"(/readyz)"', (ROOT / "releve/serving/native.py").read_text()),
    *re.findall(r'"(/v2/health/\w+)"', (ROOT / "releve/serving/open_inference/routes.py").read_text()),
)
OTHERS = ("/api/health", "/api/ready", "/health")  # of Prefect's server and worker
identified = pytest.mark.parametrize("workload", WORKLOADS, ids=[each["metadata"]["name"] for each in WORKLOADS])


def test_there_is_a_workload_for_each_part_and_who_can_be_many_has_an_autoscaler() -> None:
    deployments = {name for kind, name in NAMED if kind == "Deployment"}
    assert deployments == {"service", "shadow", "prefect", "worker"}
    assert {name for kind, name in NAMED if kind == "PodDisruptionBudget"} == deployments
    assert {name for kind, name in NAMED if kind == "HorizontalPodAutoscaler"} == {"service", "worker"}
    assert {name for kind, name in NAMED if kind == "Service"} == {"service", "prefect"}
    assert ("InferenceService", "digits") in NAMED


@identified
def test_probes_ask_what_is_answered_without_a_token(workload: dict[str, Any]) -> None:
    probes = [each[name]["httpGet"]["path"] for each in containers_of(workload) for name in each if "Probe" in name]

    assert probes or workload["metadata"]["name"] == "shadow"  # it has no port
    assert set(probes) <= {*OPEN, *OTHERS}


@identified
def test_a_pod_runs_as_a_user_of_its_own_without_rights(workload: dict[str, Any]) -> None:
    pod = pod_of(workload)

    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]
    assert pod["automountServiceAccountToken"] is False
    for each in containers_of(workload):
        assert each["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert each["securityContext"]["allowPrivilegeEscalation"] is False
    if workload["kind"] == "Deployment":
        [user] = {rest.partition(":")[0] for path in CONTAINERS for name, rest in instructions(path) if name == "USER"}
        assert pod["securityContext"]["runAsUser"] == int(user)
        assert all(each["securityContext"]["readOnlyRootFilesystem"] for each in containers_of(workload))


@identified
def test_what_a_pod_names_is_there(workload: dict[str, Any]) -> None:
    pod = pod_of(workload)
    volumes = {each["name"] for each in pod["volumes"]}
    claims = {each["persistentVolumeClaim"]["claimName"] for each in pod["volumes"] if "persistentVolumeClaim" in each}

    assert {("PersistentVolumeClaim", name) for name in claims} <= NAMED
    for each in containers_of(workload):
        assert {mount["name"] for mount in each["volumeMounts"]} <= volumes
        for source in each.get("envFrom", []):
            if "configMapRef" in source:
                assert ("ConfigMap", source["configMapRef"]["name"]) in NAMED
            else:
                assert source["secretRef"]["name"] == SECRET


def test_no_secret_stands_in_a_manifest_and_every_variable_is_documented() -> None:
    [settings] = [each for each in ALL if each["kind"] == "ConfigMap"]
    own = [variable["name"] for each in WORKLOADS for one in containers_of(each) for variable in one.get("env", [])]

    assert not {each["kind"] for each in ALL} & {"Secret"}
    assert [name for name in settings["data"] if re.search("TOKEN|PASSWORD|KEY|SECRET|AUTH", name)] == []
    assert [name for name in (*settings["data"], *own, *SECRET_KEYS) if f"`{name}`" not in PAGES] == []


def test_of_every_workload_is_said_who_may_ask_it_and_nobody_outside_asks_more_than_the_service() -> None:
    policies = {each["metadata"]["name"]: each["spec"] for each in ALL if each["kind"] == "NetworkPolicy"}
    ports = {port["name"] for each in WORKLOADS for one in containers_of(each) for port in one.get("ports", [])}
    open_to_all = [name for name, spec in policies.items() for rule in spec.get("ingress", []) if "from" not in rule]

    assert set(policies) == {each["metadata"]["name"] for each in WORKLOADS if each["kind"] == "Deployment"}
    assert open_to_all == ["service"]
    for spec in policies.values():
        assert spec["policyTypes"] == ["Ingress"]
        assert {port["port"] for rule in spec.get("ingress", []) for port in rule["ports"]} <= ports


def test_services_and_scalers_find_their_pods() -> None:
    labels = {
        each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"]
        for each in WORKLOADS
        if each["kind"] == "Deployment"
    }

    for each in ALL:
        name = each["metadata"]["name"]
        if each["kind"] == "Service":
            assert each["spec"]["selector"] == labels[name]
        if each["kind"] == "PodDisruptionBudget":
            assert each["spec"]["selector"]["matchLabels"] == labels[name]
        if each["kind"] == "NetworkPolicy":
            assert each["spec"]["podSelector"]["matchLabels"] == labels[name]
        if each["kind"] == "HorizontalPodAutoscaler":
            assert each["spec"]["scaleTargetRef"]["name"] in labels
