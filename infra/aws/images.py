"""Machine images, found by the parameters that AWS publishes them under."""

import pulumi
import pulumi_aws as aws

from sizing.plan import ComputeSpec

HOST_IMAGES = {
    "x86_64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "arm64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
    "gpu": "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id",
}
"""Amazon Linux 2023 (its user guide, "Launching AL2023 using the SSM parameter"); with NVIDIA's driver for a GPU
(Deep Learning AMI guide, "Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023)")."""

NODE_IMAGES = {
    "x86_64": "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
    "arm64": "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
    "gpu": "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id",
}
"""ECS-optimised images (ECS developer guide, "Retrieving Amazon ECS-optimized Linux AMI metadata")."""


def find_host_image(spec: ComputeSpec, parent: pulumi.Resource) -> pulumi.Output[str]:
    """The newest image for a single host, by a look-up."""
    found = aws.ssm.get_parameter_output(name=HOST_IMAGES[_kind(spec)], opts=pulumi.InvokeOutputOptions(parent=parent))
    # The provider takes every parameter for a secret; an image's id is public.
    return pulumi.Output.unsecret(found.value)


def name_node_image(spec: ComputeSpec) -> str:
    """The image of a cluster's nodes, looked up by EC2 each time that a node starts: new nodes are patched ones."""
    return f"resolve:ssm:{NODE_IMAGES[_kind(spec)]}"


def _kind(spec: ComputeSpec) -> str:
    return "gpu" if spec.gpu else spec.architecture
