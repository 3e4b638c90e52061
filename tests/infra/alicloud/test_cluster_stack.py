"""The stack of a cluster on Alibaba Cloud as a whole: what is left of it, what its nodes are told, who makes dumps."""

import base64
import gzip
import json
from typing import Any

import pytest
import yaml

from infra.errors import InvalidStack
from tests.infra.recorder import Recording
from tests.infra.stacks import ALICLOUD_CLUSTERS, record_stack

pytestmark = pytest.mark.slow

CONFIGURATION = "alicloud:ess/scalingConfiguration:ScalingConfiguration"
CANARY = {"reme-cloud:service": {"strategy": "canary", "green_version": "0.2.0", "canary_percent": 10}}
MODERATES = "yundun-greenweb:TextModerationPlus"


def read_files(recording: Recording) -> dict[str, dict[str, str]]:
    """The files that the nodes of each scaling configuration get, by its name."""
    found = {}
    for each in recording.of(CONFIGURATION):
        document = yaml.safe_load(base64.b64decode(each.props["userData"]))
        found[each.name] = {
            file["path"]: gzip.decompress(base64.b64decode(file["content"])).decode()
            for file in document["write_files"]
        }
    return found


def read_settings(files: dict[str, str]) -> str:
    return "".join(text for path, text in files.items() if path.startswith("/etc/"))


@pytest.mark.parametrize("stack", ALICLOUD_CLUSTERS)
def test_a_database_that_stays_keeps_the_network_that_it_stands_in(stack: str) -> None:
    recording = record_stack(stack)
    kept = {each.name for each in recording if each.retain}
    data = {each.name for each in recording.of("alicloud:vpc/switch:Switch") if "data" in each.name}
    assert len(data) == 3 and {"database-instance", "network-vpc", *data} <= kept
    assert not {each.name for each in recording.of("alicloud:vpc/switch:Switch")} & kept - data
    gone = record_stack(stack, {"reme-cloud:protect": False, "reme-cloud:keep-copies": False})
    # runs of OOS are records that Alibaba Cloud forgets by itself
    names = {each.name for each in gone if each.retain and each.type != "alicloud:oos/execution:Execution"}
    # §10.2: in mainland China lines are kept for their time, whatever becomes of the stack
    assert not {name for name in names if not name.startswith("logs-")}
    assert bool(names) == ("ap-southeast" not in stack)


def test_one_colour_makes_the_dumps() -> None:
    files = read_files(record_stack("alicloud-prod", CANARY))
    assert files.keys() == {"service-blue-configuration", "service-green-configuration"}
    timers = {name: {path for path in found if path.endswith(".timer")} for name, found in files.items()}
    dumps = {"/etc/systemd/system/reme-dumps.timer", "/etc/systemd/system/reme-archive.timer"}
    assert dumps <= timers["service-blue-configuration"]
    assert not dumps & timers["service-green-configuration"]
    images = {name: read_settings(found) for name, found in files.items()}
    assert (
        "/reme:0.1.0" in images["service-blue-configuration"] and "/reme:0.2.0" in images["service-green-configuration"]
    )
    assert "/reme:0.1.0" not in images["service-green-configuration"]


@pytest.mark.parametrize("stack", ALICLOUD_CLUSTERS)
def test_nodes_in_china_are_told_of_models_there_and_moderate(stack: str) -> None:
    recording = record_stack(stack)
    (files,) = read_files(recording).values()
    told, rights = read_settings(files), json.dumps([each.props for each in recording.of("alicloud:ram/policy:Policy")])
    inside = "ap-southeast" not in stack
    assert ("https://dashscope.aliyuncs.com" in told) == inside
    assert ("dashscope-intl" in told) != inside
    assert ("REME_MODERATION__BACKEND" in told) == (MODERATES in rights) == inside
    assert "sslmode=verify-full" in told and "of the tests" not in told and "generated-by-the-test" not in told


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"reme-cloud:domain": ""}, "domain"),
        ({"reme-cloud:certificate-id": ""}, "certificate-id"),
        ({"reme-cloud:certificate-id": "arn:aws:acm:x"}, "certificate-id"),
    ],
)
def test_what_a_cluster_lacks_is_named(more: dict[str, Any], words: str) -> None:
    with pytest.raises(Exception, match=words) as raised:
        record_stack("alicloud-prod", more)
    assert type(raised.value).__name__ in ("MissingSetting", InvalidStack.__name__)
