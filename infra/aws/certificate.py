"""A certificate for the names of the service, proved by records in their zone."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.tagging import Tags

PROOF_TTL_S = 300
"""Time to live of the records of proof; they change once in the certificate's life."""


@dataclass(frozen=True, kw_only=True)
class CertificateArgs:
    """`names` are the names to prove, the first is the certificate's own. `zone_id` is the zone that holds them all.

    `shared` says that another stack proves one of the names too: the record of proof is the same for every
    certificate of an account, so it must stay when this stack goes.
    """

    names: Sequence[str]
    zone_id: pulumi.Input[str]
    shared: bool = False
    tags: Tags


class Certificate(pulumi.ComponentResource):
    """A certificate of ACM that is renewed by itself as long as its records of proof stand.

    Attributes: `arn`, known once the certificate is issued.
    """

    arn: pulumi.Output[str]

    def __init__(self, name: str, args: CertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("reme:aws:Certificate", name, {}, opts)
        certificate = aws.acm.Certificate(
            f"{name}-certificate",
            domain_name=args.names[0],
            subject_alternative_names=list(args.names[1:]),
            validation_method="DNS",
            key_algorithm="RSA_2048",
            options={"certificate_transparency_logging_preference": "ENABLED"},
            tags=args.tags.named("certificate"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        proofs = [
            aws.route53.Record(
                f"{name}-proof-{place}",
                zone_id=args.zone_id,
                name=_find_proof(certificate, domain, "resource_record_name"),
                type=_find_proof(certificate, domain, "resource_record_type"),
                records=[_find_proof(certificate, domain, "resource_record_value")],
                ttl=PROOF_TTL_S,
                allow_overwrite=True,
                opts=pulumi.ResourceOptions(parent=self, retain_on_delete=args.shared),
            )
            for place, domain in enumerate(args.names)
        ]
        issued = aws.acm.CertificateValidation(
            f"{name}-issued",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[proof.fqdn for proof in proofs],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = issued.certificate_arn
        self.register_outputs({"arn": self.arn})


def _find_proof(certificate: aws.acm.Certificate, domain: str, field: str) -> pulumi.Output[str]:
    """A field of the record that proves a name: ACM answers in an order of its own."""
    return certificate.domain_validation_options.apply(
        lambda options: next(str(getattr(each, field)) for each in options if each.domain_name == domain)
    )
