"""The manifests: what kustomize builds of them is valid, holds the plan's figures, and no secret."""

import importlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from infra.errors import InfraError
from infra.service.kubernetes.__main__ import main
from infra.service.kubernetes.exposure import Door
from infra.service.kubernetes.kustomization import FolderInUse, save_manifests, write_manifests
from infra.service.kubernetes.workload import Images
from sizing.plan import Plan
from sizing.planner import size
from sizing.render.document import describe_plan
from sizing.workload_document import read_workload
from tests.infra.service.plans import ADDRESSES, COMPANY, PERSONAL, PLATFORM, TEAM

KUBERNETES_VERSION = "1.33"
IMAGES = Images(service=f"registry.example.com/reme@sha256:{'1' * 64}", vectors=f"qdrant/qdrant@sha256:{'2' * 64}")
DOOR = Door(host="memory.example.com", email="ops@example.com", gateway_class="cilium")
WORKLOADS: Mapping[str, Mapping[str, object]] = {
    "personal": PERSONAL,
    "team": TEAM,
    "company": COMPANY,
    "platform": PLATFORM,
}
CRD_FOLDERS = (
    "sigs.k8s.io/gateway-api@*/config/crd/standard/*.yaml",
    "github.com/cert-manager/cert-manager@*/deploy/crds/*.yaml",
)
"""In the cache of Go's modules: `go mod download sigs.k8s.io/gateway-api@v1.2.1 github.com/cert-manager/cert-manager@v1.16.2`."""


def plan_for(workload: Mapping[str, object]) -> Plan:
    return size(read_workload(workload))


def write(plan: Plan) -> dict[str, str]:
    return write_manifests(plan, {region.key: ADDRESSES for region in plan.regions}, IMAGES, DOOR)


def build(folder: Path) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Each overlay with what kustomize makes of it."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl, which has kustomize in it, is not here")
    for overlay in sorted((folder / "overlays").iterdir()):
        done = subprocess.run([program, "kustomize", str(overlay)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield overlay.name, list(yaml.safe_load_all(done.stdout))


def find(manifests: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(manifest for manifest in manifests if manifest["kind"] == kind)


def close_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """A resource's schema in which names that it does not know are errors, as a server prunes or refuses them."""
    if "properties" in schema and "additionalProperties" not in schema:
        schema["additionalProperties"] = False
    for inner in schema.get("properties", {}).values():
        close_schema(inner)
    if isinstance(schema.get("items"), dict):
        close_schema(schema["items"])
    return schema


def read_definitions() -> dict[tuple[str, str], dict[str, Any]]:
    """Schemas of the Gateway API's and cert-manager's resources, by apiVersion and kind."""
    cache = Path(os.environ.get("GOMODCACHE", Path.home() / "go/pkg/mod"))
    found = {}
    for pattern in CRD_FOLDERS:
        for path in sorted(cache.glob(pattern)):
            text = "\n".join(
                line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("{{")
            )
            for document in yaml.safe_load_all(text):
                if not document or document["kind"] != "CustomResourceDefinition":
                    continue
                spec = document["spec"]
                for version in spec["versions"]:
                    schema = close_schema(version["schema"]["openAPIV3Schema"])
                    schema["properties"]["metadata"] = {"type": "object"}
                    found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


@pytest.mark.slow
@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_what_kustomize_builds_is_valid(workload: Mapping[str, object], tmp_path: Path) -> None:
    try:
        checker = importlib.import_module("kubernetes_validate")
    except ModuleNotFoundError:
        pytest.skip("kubernetes-validate is not here: pip install kubernetes-validate")
    save_manifests(write(plan_for(workload)), tmp_path)
    for _, manifests in build(tmp_path):
        for manifest in manifests:
            if manifest["apiVersion"].partition("/")[0] not in ("gateway.networking.k8s.io", "cert-manager.io"):
                checker.validate(manifest, KUBERNETES_VERSION, strict=True)


@pytest.mark.slow
def test_resources_of_the_gateway_and_of_cert_manager_are_valid(tmp_path: Path) -> None:
    definitions = read_definitions()
    if not definitions:
        pytest.skip(f"the definitions are not here: {CRD_FOLDERS}; see CRD_FOLDERS for the command")
    save_manifests(write(plan_for(COMPANY)), tmp_path)
    checked = set()
    for _, manifests in build(tmp_path):
        for manifest in manifests:
            schema = definitions.get((manifest["apiVersion"], manifest["kind"]))
            if schema is not None:
                jsonschema.validate(manifest, schema)
                checked.add(manifest["kind"])
    assert checked == {"Gateway", "HTTPRoute", "Certificate", "Issuer"}


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_the_figures_are_the_plan_s(workload: Mapping[str, object], tmp_path: Path) -> None:
    plan = plan_for(workload)
    save_manifests(write(plan), tmp_path)
    built = dict(build(tmp_path))
    assert len(built) == 2 * len(plan.regions)
    for region in plan.regions:
        name = plan.tier if len(plan.regions) == 1 else f"{plan.tier}-{region.region}"
        manifests = built[name]
        kinds = {manifest["kind"] for manifest in manifests}
        deployment = find(manifests, "Deployment")["spec"]
        settings = find(manifests, "ConfigMap")["data"]
        assert settings["REME_HTTP__HOST"] == "0.0.0.0"  # noqa: S104
        assert settings["REME_HTTP__WORKERS"] == str(region.compute.vcpu)
        if region.compute.placement == "cluster":
            growth = find(manifests, "HorizontalPodAutoscaler")["spec"]
            assert (growth["minReplicas"], growth["maxReplicas"]) == (region.compute.nodes, region.compute.max_nodes)
            assert "replicas" not in deployment
            assert "PodDisruptionBudget" in kinds
        else:
            claim = find(manifests, "PersistentVolumeClaim")["spec"]
            assert claim["resources"]["requests"]["storage"] == f"{region.compute.data_disk_gb}Gi"
            assert (deployment["replicas"], deployment["strategy"]["type"]) == (1, "Recreate")
        beside = [container["name"] for container in deployment["template"]["spec"]["initContainers"]]
        assert beside == (["qdrant", "prepare"] if region.vector_store.placement == "same-host" else ["prepare"])


def test_pods_have_no_privileges_and_name_their_secrets(tmp_path: Path) -> None:
    save_manifests(write(plan_for(COMPANY)), tmp_path)
    for name, manifests in build(tmp_path):
        pod = find(manifests, "Deployment")["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is False
        for container in (*pod["initContainers"], *pod["containers"]):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert "@sha256:" in container["image"]
        served = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in pod["containers"][0]["env"]}
        assert served["PGPASSWORD"] == {"name": "reme-secrets", "key": "database"}
        assert "ADMIN_KEY" not in served
        readme = tmp_path / "overlays" / name.removesuffix("-nginx") / "README.md"
        assert "- `admin`" in readme.read_text(encoding="utf-8")
        assert "Secret" not in {manifest["kind"] for manifest in manifests}


def test_nginx_limits_requests_and_the_gateway_sends_plain_http_on(tmp_path: Path) -> None:
    save_manifests(write(plan_for(COMPANY)), tmp_path)
    built = dict(build(tmp_path))
    annotations = find(built["ha-nginx"], "Ingress")["metadata"]["annotations"]
    assert annotations["nginx.ingress.kubernetes.io/limit-rps"] == "100"
    assert "Gateway" not in {manifest["kind"] for manifest in built["ha-nginx"]}
    routes = [manifest["spec"] for manifest in built["ha"] if manifest["kind"] == "HTTPRoute"]
    assert {route["parentRefs"][0]["sectionName"] for route in routes} == {"http", "https"}
    assert find(built["ha"], "Certificate")["spec"]["dnsNames"] == ["memory.example.com"]


def test_only_what_the_plan_calls_may_go_out() -> None:
    files = write(plan_for(COMPANY))
    fence = yaml.safe_load(files["overlays/ha/networkpolicy-reme.yaml"])["spec"]
    outward = fence["egress"][1]
    assert [port["port"] for port in outward["ports"]] == [443, 5433, 6333, 6379]
    assert "169.254.0.0/16" in outward["to"][0]["ipBlock"]["except"]


def test_a_folder_of_others_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(FolderInUse, match="none of ours"):
        save_manifests(write(plan_for(PERSONAL)), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_image_that_is_not_pinned_is_refused() -> None:
    with pytest.raises(InfraError, match="by its digest"):
        write_manifests(plan_for(PERSONAL), {}, Images(service="reme:latest"), DOOR)


@pytest.mark.parametrize("text", [None, "[]", "{", json.dumps({"aws:us-east-1": {"database_hosts": "x"}})])
def test_the_command_writes_a_plan_or_says_what_is_wrong(text: str | None, tmp_path: Path) -> None:
    plan = plan_for(COMPANY)
    (tmp_path / "plan.json").write_text(json.dumps({"plan": describe_plan(plan)}), encoding="utf-8")
    given = {
        plan.primary.key: {"database_host": "db", "cache_host": "c", "vector_url": "https://q:6333", "bucket": "b-1"}
    }
    (tmp_path / "addresses.json").write_text(json.dumps(given) if text is None else text, encoding="utf-8")
    arguments = ["--out", str(tmp_path / "out"), "--addresses", str(tmp_path / "addresses.json")]
    arguments += ["--image", IMAGES.service, "--host", DOOR.host, "--email", DOOR.email, "--gateway-class", "cilium"]
    done = CliRunner().invoke(main, [str(tmp_path / "plan.json"), *arguments])
    assert done.exit_code == (0 if text is None else 2), done.output
    assert (tmp_path / "out/base/kustomization.yaml").exists() == (text is None)
    assert "Traceback" not in done.output
