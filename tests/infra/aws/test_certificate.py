"""A certificate: each name proved by its own record, whatever order ACM answers in."""

from typing import Any

import pytest

from infra.aws.certificate import Certificate, CertificateArgs
from infra.tagging import Tags
from tests.infra import recorder
from tests.infra.recorder import Recording, record

TAGS = Tags(environment="test", stack="aws-test", more={})
NAMES = ("origin.reme.example.com", "reme.example.com")
RECORD = "aws:route53/record:Record"


@pytest.fixture(autouse=True)
def answer_as_acm_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """ACM has a proof for each name, in an order of its own."""
    compute = recorder._compute

    def reversed_proofs(type_: str, name: str, state: dict[str, Any], region: str) -> dict[str, Any]:
        found = compute(type_, name, state, region)
        if type_ == "aws:acm/certificate:Certificate":
            found["domainValidationOptions"] = [
                {
                    "domainName": domain,
                    "resourceRecordName": f"_proof.{domain}",
                    "resourceRecordType": "CNAME",
                    "resourceRecordValue": f"_value.{domain}",
                }
                for domain in reversed([state["domainName"], *state.get("subjectAlternativeNames", [])])
            ]
        return found

    monkeypatch.setattr(recorder, "_compute", reversed_proofs)


def certify(*, shared: bool = False) -> Recording:
    def program() -> None:
        Certificate("certificate", CertificateArgs(names=NAMES, zone_id="Z1", shared=shared, tags=TAGS))

    return record(program)


def test_every_name_is_proved_in_its_own_record() -> None:
    made = certify()

    certificate = made.one("aws:acm/certificate:Certificate").props
    assert (certificate["domainName"], certificate["subjectAlternativeNames"]) == (NAMES[0], [NAMES[1]])
    assert certificate["validationMethod"] == "DNS"
    proofs = sorted((each.props["name"], each.props["type"], each.props["records"]) for each in made.of(RECORD))
    assert proofs == [(f"_proof.{name}", "CNAME", [f"_value.{name}"]) for name in NAMES]
    assert (
        made.one("aws:acm/certificateValidation:CertificateValidation").props["certificateArn"].endswith("certificate")
    )


def test_a_proof_that_another_stack_needs_stays() -> None:
    assert [each.retain for each in certify(shared=True).of(RECORD)] == [True, True]
    assert [each.retain for each in certify().of(RECORD)] == [False, False]
