"""The folders of kustomize: a base, two ways in as components, and an overlay for each region of a plan."""

from collections.abc import Mapping
from pathlib import Path

import yaml

from infra.errors import InfraError
from infra.service.configuration import ServiceAddresses, configure_service
from infra.service.delivery import check_image
from infra.service.kubernetes.exposure import Door, write_gateway, write_ingress
from infra.service.kubernetes.workload import SECRETS, Images, Manifest, write_base, write_settings, write_workload
from sizing.plan import Plan, RegionPlan

EVERYWHERE = {"http.host": "0.0.0.0"}  # noqa: S104 - in a pod, whose network decides who reaches it
GATEWAY, INGRESS = "gateway", "ingress-nginx"


class FolderInUse(InfraError):
    """The folder to write into holds something else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} holds files that are none of ours: name a new folder, or the one written before")


def write_manifests(
    plan: Plan, addresses: Mapping[str, ServiceAddresses], images: Images, door: Door
) -> dict[str, str]:
    """Every file by its path: `base`, `components/…` and `overlays/<tier>[-<region>]`, with `-nginx` for nginx's.

    `addresses` are by region, such as "aws:us-east-1". The files hold no secret; an overlay's README names the keys
    of the Secret that must be there. Raises `MissingAddress` or `InvalidDelivery`.
    """
    primary = plan.primary
    port = primary.balancer.target_port
    files = {
        **_write_folder("base", "Kustomization", write_base(port)),
        **_write_folder(f"components/{GATEWAY}", "Component", write_gateway(door, port)),
        **_write_folder(f"components/{INGRESS}", "Component", write_ingress(door, primary.balancer)),
    }
    for region in plan.regions:
        name = plan.tier if len(plan.regions) == 1 else f"{plan.tier}-{region.region}"
        files |= _write_overlays(name, region, addresses.get(region.key, ServiceAddresses()), images)
    return files


def save_manifests(files: Mapping[str, str], folder: Path) -> None:
    """Write the files. Raises `FolderInUse` where the folder has others in it; then nothing is written."""
    if folder.exists():
        present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
        if present and "base/kustomization.yaml" not in present:
            raise FolderInUse(folder)
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def _write_overlays(name: str, plan: RegionPlan, addresses: ServiceAddresses, images: Images) -> dict[str, str]:
    check_image("service image", images.service)
    if plan.vector_store.placement == "same-host":
        check_image("vector image", images.vectors)
    settings = configure_service(plan, addresses, overrides=EVERYWHERE)
    manifests = [write_settings(settings), *write_workload(plan, settings, addresses, images)]
    shared = {"resources": ["../../base"], "components": [f"../../components/{GATEWAY}"]}
    files = _write_folder(f"overlays/{name}", "Kustomization", manifests, **shared)
    keys = "\n".join(f"- `{key}`" for key in settings.secret_names)
    files[f"overlays/{name}/README.md"] = (
        f"# {name}\n\nThe Secret `{SECRETS}` must be in the namespace, with the keys\n\n{keys}\n\n"
        "`admin` is the first administrator's API key: `rk_` and 32 hexadecimal digits. The namespace of what brings\n"
        "requests in needs the label `reme-cloud/ingress=true`.\n"
    )
    nginx = {"resources": ["../../base"], "components": [f"../../components/{INGRESS}"]}
    return files | _write_folder(f"overlays/{name}-nginx", "Kustomization", manifests, **nginx)


def _write_folder(folder: str, kind: str, manifests: list[Manifest], **more: list[str]) -> dict[str, str]:
    version = "v1alpha1" if kind == "Component" else "v1beta1"
    names = [f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml" for manifest in manifests]
    kustomization = {
        "apiVersion": f"kustomize.config.k8s.io/{version}",
        "kind": kind,
        **more,
        "resources": [*more.get("resources", []), *names],
    }
    files = {f"{folder}/{name}": _write_yaml(manifest) for name, manifest in zip(names, manifests, strict=True)}
    return {f"{folder}/kustomization.yaml": _write_yaml(kustomization), **files}


def _write_yaml(value: Manifest) -> str:
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, width=120, allow_unicode=True)


class _Plain(yaml.SafeDumper):
    """Writes a value out where it is needed twice, and programs as blocks."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """No anchors: kustomize merges what it reads."""
        return True


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _write_text)
