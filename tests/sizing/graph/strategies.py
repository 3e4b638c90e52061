"""Graphs for property tests: small stacks of a few types, with values that may be unknown."""

from typing import Any

from hypothesis import strategies as st

from sizing.graph.resources import UNKNOWN, Resource, ResourceGraph, build_graph

TYPES = (
    "aws:ec2/instance:Instance",
    "aws:ebs/volume:Volume",
    "aws:rds/instance:Instance",
    "aws:s3/bucket:Bucket",
    "aws:kms/key:Key",
    "aws:ec2/vpc:Vpc",
    "aws:autoscaling/group:Group",
    "aws:lb/loadBalancer:LoadBalancer",
    "alicloud:ecs/ecsDisk:EcsDisk",
    "nobody:knows/this:This",
)
VALUES: dict[str, tuple[Any, ...]] = {
    "instanceType": ("t3.medium", "t3.large", "no.such", UNKNOWN),
    "instanceClass": ("db.t4g.medium", "db.r6g.large", UNKNOWN),
    "engine": ("postgres", "mysql", "oracle-ee"),
    "allocatedStorage": (20, 100.0, UNKNOWN),
    "multiAz": (True, False, UNKNOWN),
    "size": (1, 40, 500),
    "type": ("gp2", "gp3", "io2"),
    "category": ("cloud_essd", "cloud_ssd"),
    "minSize": (0, 1),
    "maxSize": (2, 4),
    "desiredCapacity": (1, 2, UNKNOWN),
    "internal": (True, False),
    "subnets": (["a", "b"], ["a", UNKNOWN, "c"]),
    "tags": ({"a": "b"}, {"a": "c", "d.e": "f"}),
}
REGIONS = ("us-east-1", "eu-west-1", "mars-north-1", "")


@st.composite
def resources(draw: st.DrawFn, name: str) -> Resource:
    """One resource, whose name tells its type: a name's type never changes."""
    type_ = TYPES[int(name.rpartition("-")[2]) % len(TYPES)]
    inputs = draw(st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in VALUES.items()}))
    return Resource(
        urn=f"urn:pulumi:dev::demo::{type_}::{name}",
        type=type_,
        name=name,
        inputs=inputs,
        region=draw(st.sampled_from(REGIONS)),
        retained=draw(st.booleans()),
    )


@st.composite
def graphs(draw: st.DrawFn) -> ResourceGraph:
    """A stack of up to a dozen resources."""
    names = draw(st.lists(st.integers(0, 19).map(lambda number: f"r-{number}"), unique=True, max_size=12))
    return build_graph("dev", [draw(resources(name)) for name in names])
