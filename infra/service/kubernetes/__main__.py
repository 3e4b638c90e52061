"""``python -m infra.service.kubernetes PLAN.json --out DIR``: write the manifests of a plan."""

import json
import sys
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from infra.errors import InfraError
from infra.service.configuration import ServiceAddresses
from infra.service.kubernetes.exposure import Door
from infra.service.kubernetes.kustomization import save_manifests, write_manifests
from infra.service.kubernetes.workload import Images
from sizing.errors import SizingError
from sizing.schemas import read_plan

DOCUMENT = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"max_content_width": 110})
@click.argument("plan", type=DOCUMENT)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder to write into.")
@click.option("--addresses", type=DOCUMENT, help="JSON: by region, such as aws:us-east-1, where its servers are.")
@click.option("--image", required=True, help="Image of the service, by its digest.")
@click.option("--vector-image", default="", help="Image of Qdrant, by its digest, where the plan has it on the host.")
@click.option("--host", required=True, help="Name that callers use.")
@click.option("--email", required=True, help="Whom Let's Encrypt tells of trouble.")
@click.option("--gateway-class", required=True, help="GatewayClass of the cluster.")
def main(
    plan: Path,
    out: Path,
    addresses: Path | None,
    image: str,
    vector_image: str,
    host: str,
    email: str,
    gateway_class: str,
) -> None:
    """Write kustomize folders for PLAN, the plan of `reme-size --format json`.

    \b
      reme-size --users 500 --format json > plan.json
      python -m infra.service.kubernetes plan.json --out manifests --addresses addresses.json \\
        --image registry.example.com/reme@sha256:… --host memory.example.com --email ops@example.com \\
        --gateway-class cilium
      kubectl apply --kustomize manifests/overlays/ha
    """
    try:
        document = json.loads(plan.read_text(encoding="utf-8"))
        found = read_plan(document.get("plan", document))
        given = json.loads(addresses.read_text(encoding="utf-8")) if addresses else {}
        places = TypeAdapter(dict[str, ServiceAddresses]).validate_python(given)
        door = Door(host=host, email=email, gateway_class=gateway_class)
        files = write_manifests(found, places, Images(service=image, vectors=vector_image), door)
        save_manifests(files, out)
    except (InfraError, SizingError) as fault:
        raise click.UsageError(str(fault)) from None
    except ValidationError as fault:
        first = fault.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise click.UsageError(f"{addresses}: {place}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, AttributeError) as fault:
        raise click.UsageError(f"a file cannot be read: {fault}") from None
    click.echo(f"{len(files)} files in {out}", err=True)


if __name__ == "__main__":
    sys.exit(main())
