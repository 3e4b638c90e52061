"""The registry of the service's images."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.tagging import Tags

UNTAGGED_DAYS = 7
"""Ours: layers of a build that was never tagged are of use to nobody after a week."""


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """``kept_images`` are the newest ones that stay, so that a rollback finds its image; older ones expire."""

    tags: Tags
    protect: bool
    kms_key_arn: pulumi.Input[str] | None = None
    kept_images: int = 10


class Registry(pulumi.ComponentResource):
    """A private repository whose tags cannot be moved and whose images are scanned on push.

    Attributes: ``url`` (without a tag) and ``arn``.
    """

    url: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Registry", name, {}, opts)
        repository = aws.ecr.Repository(
            f"{name}-images",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=args.kms_key_arn)
            ],
            force_delete=not args.protect,
            tags=args.tags.named("registry"),
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.ecr.LifecyclePolicy(
            f"{name}-expiry",
            repository=repository.name,
            policy=pulumi.Output.json_dumps(describe_expiry(args.kept_images)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = repository.repository_url
        self.arn = repository.arn
        self.register_outputs({"url": self.url, "arn": self.arn})


def describe_expiry(kept_images: int) -> dict[str, object]:
    """ECR's lifecycle policy: untagged images go after UNTAGGED_DAYS, tagged ones beyond the newest ``kept_images``."""
    return {
        "rules": [
            {
                "rulePriority": 1,
                "description": "Untagged images",
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": UNTAGGED_DAYS,
                },
                "action": {"type": "expire"},
            },
            {
                "rulePriority": 2,
                "description": "All but the newest images",
                "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": kept_images},
                "action": {"type": "expire"},
            },
        ]
    }
