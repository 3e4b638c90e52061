"""What runs: the deployment with its account and its service, how it grows, what may leave it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from infra.facts import QDRANT_PORT, SERVICE_UID
from infra.service.configuration import WORKING_DIR, ServiceAddresses, ServiceSettings
from infra.service.container import COMMAND, ContainerContent, describe_container
from infra.service.host_start import QDRANT_ENVIRONMENT
from sizing.capacity import TARGET_UTILISATION
from sizing.plan import RegionPlan

NAME = "reme"
LABELS = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/part-of": "reme-cloud"}
SETTINGS, SECRETS, DATA = f"{NAME}-settings", f"{NAME}-secrets", f"{NAME}-data"
NODE_SHARE = 0.75
"""Ours: what a pod asks for of the plan's node; the rest is the kubelet's and the cluster's own pods'."""
SCALE_DOWN_S = 300
METADATA_ADDRESSES = ("169.254.0.0/16", "100.100.100.200/32")
"""Where clouds tell a machine its role's keys (EC2 User Guide; Alibaba Cloud, "Instance metadata")."""
Manifest = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Images:
    """What is run: the service, and the server of vectors where the plan puts one on the same host."""

    service: str
    vectors: str = ""


def write_base(port: int) -> list[Manifest]:
    """What every tier has."""
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", **_name(), "automountServiceAccountToken": False},
        {
            "apiVersion": "v1",
            "kind": "Service",
            **_name(),
            "spec": {
                "selector": LABELS,
                "ports": [{"name": "http", "port": port, "targetPort": "http", "appProtocol": "http"}],
            },
        },
    ]


def write_settings(settings: ServiceSettings) -> Manifest:
    """The settings, and what the preparation is told, as a ConfigMap."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        **_name(SETTINGS),
        "data": {**settings.environment, **settings.preparation},
    }


def write_workload(
    plan: RegionPlan, settings: ServiceSettings, addresses: ServiceAddresses, images: Images
) -> list[Manifest]:
    """The deployment, its volume or its growth, and its fence."""
    spans = plan.compute.placement == "cluster"
    found = [_write_deployment(plan, settings, images), _write_fence(plan, addresses)]
    if spans:
        return [*found, _write_growth(plan), _write_budget()]
    claim = {
        "accessModes": ["ReadWriteOncePod"],
        "resources": {"requests": {"storage": f"{plan.compute.data_disk_gb}Gi"}},
    }
    return [*found, {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **_name(DATA), "spec": claim}]


def _name(name: str = NAME) -> Manifest:
    return {"metadata": {"name": name, "labels": LABELS}}


def _write_deployment(plan: RegionPlan, settings: ServiceSettings, images: Images) -> Manifest:
    spans = plan.compute.placement == "cluster"
    # The place of a secret is its key in the one Secret of the namespace.
    content = describe_container(settings, {name: name for name in settings.secret_names})
    volumes: list[Manifest] = [{"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}]
    kept: Manifest = {"emptyDir": {"sizeLimit": "4Gi"}} if spans else {"persistentVolumeClaim": {"claimName": DATA}}
    pod: Manifest = {
        "serviceAccountName": NAME,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 60,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": SERVICE_UID,
            "runAsGroup": SERVICE_UID,
            "fsGroup": SERVICE_UID,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "initContainers": [*_write_vectors(plan, images), _write_preparation(content, images)],
        "containers": [_write_service(plan, content, images)],
        "volumes": [*volumes, {"name": "data", **kept}],
    }
    if spans:
        pod["topologySpreadConstraints"] = [
            {
                "maxSkew": 1,
                "topologyKey": key,
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": LABELS},
                "matchLabelKeys": ["pod-template-hash"],
            }
            for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
        ]
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    spec: Manifest = {
        "selector": {"matchLabels": LABELS},
        "revisionHistoryLimit": 5,
        "strategy": rolling if spans else {"type": "Recreate"},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    if not spans:  # else the number is the autoscaler's
        spec["replicas"] = 1
    return {"apiVersion": "apps/v1", "kind": "Deployment", **_name(), "spec": spec}


def _write_container(name: str, image: str, environment: Sequence[Manifest]) -> Manifest:
    return {
        "name": name,
        "image": image,
        "envFrom": [{"configMapRef": {"name": SETTINGS}}],
        "env": list(environment),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "data", "mountPath": WORKING_DIR}, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }


def _read_secrets(secrets: Mapping[str, str]) -> list[Manifest]:
    return [
        {"name": variable, "valueFrom": {"secretKeyRef": {"name": SECRETS, "key": key}}}
        for variable, key in sorted(secrets.items())
    ]


def _write_preparation(content: ContainerContent, images: Images) -> Manifest:
    secrets = {**content.secrets, **content.preparation_secrets}
    return {
        **_write_container("prepare", images.service, _read_secrets(secrets)),
        "command": list(content.preparation),
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    }


def _write_service(plan: RegionPlan, content: ContainerContent, images: Images) -> Manifest:
    compute, port = plan.compute, plan.balancer.target_port
    beside_gb = plan.vector_store.memory_needed_gb + 0.5 if plan.vector_store.placement == "same-host" else 0.0
    memory = f"{round((compute.memory_gb - beside_gb) * NODE_SHARE * 1024)}Mi"
    resources: Manifest = {
        "requests": {"cpu": f"{round(compute.vcpu * NODE_SHARE * 1000)}m", "memory": memory},
        "limits": {"memory": memory},
    }
    if compute.gpu:
        resources["limits"]["nvidia.com/gpu"] = 1
    probe = {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 3}
    return {
        **_write_container(NAME, images.service, _read_secrets(content.secrets)),
        "args": list(COMMAND),
        "ports": [{"name": "http", "containerPort": port}],
        "resources": resources,
        "startupProbe": {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 2, "failureThreshold": 90},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "http"}, **probe},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, **probe},
        # Balancers learn that the pod leaves while it still answers.
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
    }


def _write_vectors(plan: RegionPlan, images: Images) -> list[Manifest]:
    """Qdrant in the same pod, where the plan has it on the same host: it starts first and ends last."""
    store = plan.vector_store
    if store.placement != "same-host":
        return []
    memory = f"{round((store.memory_needed_gb + 0.5) * 1024)}Mi"
    port = QDRANT_PORT if store.engine == "qdrant" else 8000
    folder = "/qdrant/storage" if store.engine == "qdrant" else "/data"
    environment = [{"name": name, "value": value} for name, value in QDRANT_ENVIRONMENT.items()]
    if store.engine == "qdrant":
        environment += _read_secrets({"QDRANT__SERVICE__API_KEY": "qdrant"})
    container = _write_container(store.engine, images.vectors, environment if store.engine == "qdrant" else [])
    container.pop("envFrom")
    return [
        {
            **container,
            "restartPolicy": "Always",
            "resources": {"requests": {"cpu": "250m", "memory": memory}, "limits": {"memory": memory}},
            "startupProbe": {"tcpSocket": {"port": port}, "periodSeconds": 2, "failureThreshold": 90},
            "volumeMounts": [
                {"name": "data", "mountPath": folder, "subPath": store.engine},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod
            ],
        }
    ]


def _write_growth(plan: RegionPlan) -> Manifest:
    target = {"type": "Utilization", "averageUtilization": round(TARGET_UTILISATION * 100)}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        **_name(),
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
            "minReplicas": plan.compute.nodes,
            "maxReplicas": plan.compute.max_nodes,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": SCALE_DOWN_S}},
        },
    }


def _write_budget() -> Manifest:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        **_name(),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": LABELS},
        },
    }


def _write_fence(plan: RegionPlan, addresses: ServiceAddresses) -> Manifest:
    """Who may come in: pods of namespaces with a label; what may go out: names, HTTPS, the plan's own servers."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        **_name(),
        "spec": {
            "podSelector": {"matchLabels": LABELS},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {
                    "from": [{"namespaceSelector": {"matchLabels": {f"{NAME}-cloud/ingress": "true"}}}],
                    "ports": [{"protocol": "TCP", "port": plan.balancer.target_port}],
                }
            ],
            "egress": [
                {
                    "to": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}],
                    "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
                },
                {
                    "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": list(METADATA_ADDRESSES)}}],
                    "ports": [{"protocol": "TCP", "port": port} for port in _list_ports(plan, addresses)],
                },
            ],
        },
    }


def _list_ports(plan: RegionPlan, addresses: ServiceAddresses) -> list[int]:
    """Ports of what the service calls: models and buckets, and the plan's own servers."""
    ports = {443}
    if plan.database.engine == "postgresql":
        ports.add(addresses.database_port)
    if plan.cache.engine != "in-process":
        ports.add(addresses.cache_port)
    if addresses.vector_url and plan.vector_store.placement in ("own-nodes", "managed"):
        ports.add(urlsplit(addresses.vector_url).port or 443)
    return sorted(ports)
