"""The offline provider, as the engine calls it."""

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2

from infra.preview.offline.record import MADE_UP, VARIABLE, read_notes
from infra.preview.offline.values import SECRET, SIGNATURE, UNKNOWN, is_unknown, to_struct
from tests.infra.preview.offline.calls import Calls, serving, urn

VPC = urn("aws:ec2/vpc:Vpc", "main")
QUEUE = urn("aws:sqs/queue:Queue", "orders")
BUCKET = urn("aws:s3/bucket:Bucket", "Files")


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The run's file of notes."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "notes"))
    return tmp_path / "notes"


@pytest.fixture
def aws(notes: Path) -> Iterator[Calls]:
    """AWS in Ireland."""
    with serving("aws") as calls:
        calls.configure(region="eu-west-1", defaultTags='{"tags": {"owner": "shop"}}')
        yield calls


def test_a_name_is_made_up_once_and_kept(aws: Calls) -> None:
    made = aws.check(QUEUE, {})
    assert made["name"].startswith("orders-")
    assert aws.check(QUEUE, {}) == made, "it is the same in every run"
    assert aws.check(QUEUE, {}, {**made, "name": "orders-abcdef0"})["name"] == "orders-abcdef0"
    assert aws.check(QUEUE, {"name": "mine"})["name"] == "mine"
    assert aws.check(BUCKET, {})["bucket"].startswith("files-"), "a bucket's name has no capitals"
    assert "name" not in aws.check(VPC, {"cidrBlock": "10.0.0.0/16"})


def test_the_engine_may_forbid_names(aws: Calls) -> None:
    options = provider_pb2.CheckRequest.AutonamingOptions(mode=provider_pb2.CheckRequest.AutonamingOptions.DISABLE)
    answer = aws.stub.Check(provider_pb2.CheckRequest(urn=QUEUE, news=to_struct({}), autonaming=options))
    assert "name" not in answer.inputs.fields


def test_a_made_up_map_has_the_keys_that_programs_ask_for(aws: Calls) -> None:
    _, outputs = aws.create(urn("aws:appsync/graphQLApi:GraphQLApi", "api"), {"authenticationType": "API_KEY"})
    assert outputs["uris"]["GRAPHQL"].startswith("https://")
    assert "uris" in outputs[MADE_UP]


def test_a_created_resource_has_what_programs_read(aws: Calls) -> None:
    id_, outputs = aws.create(QUEUE, aws.check(QUEUE, {"tags": {"team": "a"}}))
    assert outputs["arn"] == f"arn:aws:sqs:eu-west-1:123456789012:{outputs['name']}"
    assert id_ == outputs["url"] == f"https://sqs.eu-west-1.amazonaws.com/123456789012/{outputs['name']}"
    assert outputs["tagsAll"] == {"owner": "shop", "team": "a"}
    assert outputs["region"] == "eu-west-1"
    assert {"arn", "url"} <= set(outputs[MADE_UP])
    assert not {"name", "region", "tags"} & set(outputs[MADE_UP])
    assert aws.create(QUEUE, aws.check(QUEUE, {"tags": {"team": "a"}})) == (id_, outputs)


def test_a_certificate_has_a_record_for_each_of_its_names(aws: Calls) -> None:
    certificate = urn("aws:acm/certificate:Certificate", "site")
    _, outputs = aws.create(certificate, {"domainName": "a.example", "subjectAlternativeNames": ["b.example"]})
    options = outputs["domainValidationOptions"]
    assert [each["domainName"] for each in options] == ["a.example", "b.example"]
    assert all(each["resourceRecordName"] and each["resourceRecordValue"] for each in options)


def test_a_previewed_resource_does_not_know_what_the_cloud_decides(aws: Calls) -> None:
    id_, outputs = aws.create(QUEUE, aws.check(QUEUE, {}), preview=True)
    assert id_ == ""
    assert is_unknown(outputs["arn"])
    assert outputs["name"].startswith("orders-")
    assert "policy" in outputs and "delaySeconds" not in outputs, "only what is always answered is unknown"


def test_secrets_stay_secret(aws: Calls) -> None:
    secret = {SIGNATURE: SECRET, "value": "shh"}
    _, outputs = aws.create(urn("aws:ssm/parameter:Parameter", "key"), {"type": "SecureString", "value": secret})
    assert outputs["value"] == secret
    found = aws.diff(VPC, {"tags": {"a": secret}}, {"tags": {"a": {**secret, "value": "other"}}})
    assert list(found.detailedDiff) == ["tags.a"]


def test_a_difference_names_its_path_and_whether_it_forces(aws: Calls) -> None:
    before = {"cidrBlock": "10.0.0.0/16", "tags": {"a": "1", "b.c": "2"}}
    found = aws.diff(VPC, before, {"cidrBlock": "10.1.0.0/16", "tags": {"a": "1", "b.c": "3"}})
    kinds = {path: each.Kind.Name(each.kind) for path, each in found.detailedDiff.items()}
    assert kinds == {"cidrBlock": "UPDATE_REPLACE", 'tags["b.c"]': "UPDATE"}
    assert list(found.replaces) == ["cidrBlock"]
    assert not found.deleteBeforeReplace
    assert found.changes == found.DIFF_SOME


def test_what_the_engine_ignores_makes_no_difference(aws: Calls) -> None:
    before, now = {"cidrBlock": "10.0.0.0/16", "tags": {"a": "1"}}, {"cidrBlock": "10.1.0.0/16", "tags": {"a": "2"}}
    assert list(aws.diff(VPC, before, now, ignored=("cidrBlock",)).detailedDiff) == ["tags.a"]
    assert aws.diff(VPC, before, now, ignored=("cidrBlock", "tags")).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_policy_of_the_same_meaning_is_no_difference(aws: Calls) -> None:
    found = aws.diff(QUEUE, {"policy": '{"a": 1, "b": 2}'}, {"policy": '{"b":2,"a":1}'})
    assert found.changes == found.DIFF_NONE


def test_a_forcing_property_that_becomes_unknown_replaces(aws: Calls) -> None:
    subnet = urn("aws:ec2/subnet:Subnet", "a")
    assert list(aws.diff(subnet, {"vpcId": "vpc-1"}, {"vpcId": UNKNOWN}).replaces) == ["vpcId"]


def test_a_name_given_by_hand_is_freed_first(aws: Calls) -> None:
    now = {"name": "orders.fifo", "__defaults": []}
    assert aws.diff(QUEUE, now, {**now, "fifoQueue": True}).deleteBeforeReplace
    made = {"name": "orders-1234567", "__defaults": ["name"]}
    assert not aws.diff(QUEUE, made, {**made, "fifoQueue": True}).deleteBeforeReplace


def test_another_region_replaces_what_lies_in_one(aws: Calls) -> None:
    inputs = aws.check(QUEUE, {})
    _, state = aws.create(QUEUE, inputs)
    aws.configure(region="us-east-1")
    assert list(aws.diff(QUEUE, inputs, inputs, state).replaces) == ["region"]


def test_a_type_without_facts_may_be_replaced(aws: Calls, notes: Path) -> None:
    strange = urn("aws:made/up:Up", "x")
    found = aws.diff(strange, {"size": 1}, {"size": 2})
    assert not found.replaces
    (note,) = [each for each in read_notes(notes) if each.kind == "unsure"]
    assert (note.urn, note.details) == (strange, ("size",))


def test_an_update_keeps_what_the_cloud_decided(aws: Calls) -> None:
    inputs = aws.check(QUEUE, {"delaySeconds": 1})
    _, state = aws.create(QUEUE, inputs)
    news = {**inputs, "delaySeconds": 2}
    request = provider_pb2.UpdateRequest(
        urn=QUEUE, olds=to_struct(state), old_inputs=to_struct(inputs), news=to_struct(news), preview=True
    )
    outputs = aws.stub.Update(request).properties
    assert outputs["delaySeconds"] == 2
    assert outputs["arn"] == state["arn"]


def test_look_ups_answer_facts_and_note_what_is_made_up(aws: Calls, notes: Path) -> None:
    zones = aws.look_up("aws:index/getAvailabilityZones:getAvailabilityZones", state="available")
    assert zones["names"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    assert aws.look_up("aws:index/getCallerIdentity:getCallerIdentity")["accountId"] == "123456789012"
    assert not read_notes(notes)
    image = aws.look_up("aws:ec2/getAmi:getAmi", owners=["amazon"], mostRecent=True)
    assert image["imageId"].startswith("ami-")
    network = aws.look_up("aws:ec2/getVpc:getVpc", default=True)
    assert network["arn"] and network["default"] is True
    assert {each.about for each in read_notes(notes)} == {"aws:ec2/getAmi:getAmi", "aws:ec2/getVpc:getVpc"}


def test_a_look_up_echoes_what_was_asked_in_the_type_that_the_sdk_declares(aws: Calls) -> None:
    image = aws.look_up("aws:ec2/getAmi:getAmi", owners=["amazon"], mostRecent="true", nameRegex=7)
    assert image["mostRecent"] is True
    assert image["nameRegex"] == "7"


def test_a_policy_document_is_put_together(aws: Calls) -> None:
    found = aws.look_up(
        "aws:iam/getPolicyDocument:getPolicyDocument",
        statements=[
            {
                "actions": ["sts:AssumeRole"],
                "principals": [{"type": "Service", "identifiers": ["ec2.amazonaws.com"]}],
                "conditions": [{"test": "StringEquals", "variable": "aws:x", "values": ["1"]}],
            }
        ],
    )
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": ["ec2.amazonaws.com"]},
        "Condition": {"StringEquals": {"aws:x": ["1"]}},
    }
    assert json.loads(found["json"]) == {"Version": "2012-10-17", "Statement": [statement]}


def test_alibaba_cloud_is_served_too(notes: Path) -> None:
    switch = urn("alicloud:vpc/switch:Switch", "a")
    with serving("alicloud") as calls:
        calls.configure(region="cn-beijing")
        zones = calls.look_up("alicloud:index/getZones:getZones", availableResourceCreation="VSwitch")
        assert zones["zones"][0]["id"].startswith("cn-beijing-")
        given = calls.look_up("alicloud:vpc/getSwitches:getSwitches", ids=["vsw-b1", "vsw-b2"])["vswitches"]
        assert [each["id"] for each in given] == ["vsw-b1", "vsw-b2"]
        assert len({each["cidrBlock"] for each in given}) == 2
        found = calls.diff(switch, {"cidrBlock": "10.0.0.0/24"}, {"cidrBlock": "10.0.1.0/24", "tags": {"a": "b"}})
        assert list(found.replaces) == ["cidrBlock"]
        id_, outputs = calls.create(switch, calls.check(switch, {"vpcId": "vpc-1", "zoneId": "cn-beijing-a"}))
    assert id_.startswith("vsw-")
    assert outputs["vswitchName"].startswith("a-")


def test_a_package_without_an_sdk_is_named(notes: Path) -> None:
    thing = urn("strange:index:Thing", "x")
    with serving("strange") as calls:
        id_, outputs = calls.create(thing, {"size": 1})
        assert calls.diff(thing, {"size": 1}, {"size": 2}).changes == provider_pb2.DiffResponse.DIFF_SOME
    assert id_ and outputs["size"] == 1
    assert [each.about for each in read_notes(notes) if each.kind == "unknown-package"] == ["strange"]


def test_a_component_of_a_plugin_is_refused(notes: Path) -> None:
    with serving("awsx") as calls, pytest.raises(grpc.RpcError, match="without that plugin"):
        calls.stub.Construct(provider_pb2.ConstructRequest(type="awsx:ec2:Vpc", name="x"))
