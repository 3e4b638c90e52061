"""How callers reach the service: the Gateway API, or an Ingress of nginx; with a certificate of cert-manager's."""

from dataclasses import dataclass

from infra.service.kubernetes.workload import LABELS, NAME, Manifest
from sizing.plan import BalancerSpec

CERTIFICATE = f"{NAME}-tls"
ACME = "https://acme-v02.api.letsencrypt.org/directory"
"""Let's Encrypt's directory for production (requirements §6.2: letsencrypt-prod)."""
REQUESTS_PER_SECOND = 100
"""Requirements §6.2's limit of each caller; nginx's annotation for it is limit-rps (errata 6.2)."""
CIPHERS = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
"""Requirements §10.1's two, for the ingress controller's ConfigMap: an annotation cannot set those of TLS 1.3."""
_GATEWAY = "gateway.networking.k8s.io/v1"
_CERT_MANAGER = "cert-manager.io/v1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Door:
    """The name that callers use, whom Let's Encrypt tells of trouble, and the classes of the cluster."""

    host: str
    email: str
    gateway_class: str
    ingress_class: str = "nginx"


def write_gateway(door: Door, port: int) -> list[Manifest]:
    """A gateway with TLS, a route to the service, one that sends plain HTTP on, and the certificate."""
    shared = {"hostname": door.host, "allowedRoutes": {"namespaces": {"from": "Same"}}}
    tls = {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": CERTIFICATE}]}
    listeners = [
        {"name": "https", "port": 443, "protocol": "HTTPS", "tls": tls, **shared},
        {"name": "http", "port": 80, "protocol": "HTTP", **shared},
    ]
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    solver = {"gatewayHTTPRoute": {"parentRefs": [{"kind": "Gateway", "name": NAME, "sectionName": "http"}]}}
    return [
        _describe(_GATEWAY, "Gateway", NAME, {"gatewayClassName": door.gateway_class, "listeners": listeners}),
        _write_route(NAME, door, "https", {"backendRefs": [{"name": NAME, "port": port}]}),
        _write_route(f"{NAME}-redirect", door, "http", {"filters": [redirect]}),
        *_write_certificate(door, solver),
    ]


def write_ingress(door: Door, balancer: BalancerSpec) -> list[Manifest]:
    """An Ingress of nginx with the limit of requests and the stickiness of the balancer, and the certificate."""
    prefix = "nginx.ingress.kubernetes.io"
    backend = {"service": {"name": NAME, "port": {"name": "http"}}}
    rule = {"host": door.host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    ingress = _describe(
        "networking.k8s.io/v1",
        "Ingress",
        NAME,
        {
            "ingressClassName": door.ingress_class,
            "tls": [{"hosts": [door.host], "secretName": CERTIFICATE}],
            "rules": [rule],
        },
    )
    ingress["metadata"]["annotations"] = {
        f"{prefix}/limit-rps": str(REQUESTS_PER_SECOND),
        f"{prefix}/ssl-redirect": "true",
        # The service has limits of its own, and imports are large.
        f"{prefix}/proxy-body-size": "0",
        f"{prefix}/proxy-buffering": "off",
        f"{prefix}/affinity": "cookie",
        f"{prefix}/session-cookie-max-age": str(balancer.stickiness_s),
    }
    solver = {"ingress": {"ingressClassName": door.ingress_class}}
    return [ingress, *_write_certificate(door, solver)]


def _describe(api: str, kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": LABELS}, "spec": spec}


def _write_route(name: str, door: Door, listener: str, rule: Manifest) -> Manifest:
    parent = {"name": NAME, "sectionName": listener}
    return _describe(_GATEWAY, "HTTPRoute", name, {"parentRefs": [parent], "hostnames": [door.host], "rules": [rule]})


def _write_certificate(door: Door, solver: Manifest) -> list[Manifest]:
    account = {"server": ACME, "email": door.email, "privateKeySecretRef": {"name": f"{NAME}-acme"}}
    issuer = {"acme": {**account, "solvers": [{"http01": solver}]}}
    certificate = {
        "secretName": CERTIFICATE,
        "dnsNames": [door.host],
        "privateKey": {"algorithm": "ECDSA", "size": 256, "rotationPolicy": "Always"},
        "issuerRef": {"kind": "Issuer", "name": NAME},
    }
    return [
        _describe(_CERT_MANAGER, "Issuer", NAME, issuer),
        _describe(_CERT_MANAGER, "Certificate", CERTIFICATE, certificate),
    ]
