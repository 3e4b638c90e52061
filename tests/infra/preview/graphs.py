"""Small graphs of resources, and the result of comparing two."""

from typing import Any

from sizing.graph.resources import Resource, ResourceGraph, build_graph

STACK = "aws-dev"
INSTANCE = "aws:ec2/instance:Instance"
BUCKET = "aws:s3/bucket:Bucket"


def urn(type_: str, name: str) -> str:
    return f"urn:pulumi:{STACK}::reme-cloud::{type_}::{name}"


def resource(type_: str, name: str, inputs: dict[str, Any] | None = None, **more: Any) -> Resource:
    """A resource of us-east-1."""
    return Resource(urn=urn(type_, name), type=type_, name=name, inputs=inputs or {}, region="us-east-1", **more)


def graph(*resources: Resource) -> ResourceGraph:
    """A graph of the stack."""
    return build_graph(STACK, resources)


def instance(name: str = "host", kind: Any = "t3.medium", **more: Any) -> Resource:
    """A machine with a disk."""
    return resource(INSTANCE, name, {"instanceType": kind, "rootBlockDevice": {"volumeSize": 20}}, **more)
