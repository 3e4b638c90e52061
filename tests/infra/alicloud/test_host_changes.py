"""How a change reaches a host on Alibaba Cloud: one run at each change, none that is deleted, none without the agent."""

import base64
import json
from collections.abc import Mapping

import pulumi

from infra.alicloud.host import HostArgs, ServiceHost
from infra.alicloud.host_changes import HostChanges, HostChangesArgs, describe_wait
from infra.service.upkeep import TIMEOUT_S
from infra.tables import read_table
from infra.tagging import Tags
from tests.infra.differences import find_differences
from tests.infra.recorder import Recording, record
from tests.infra.service.plans import PERSONAL, plan_region
from tests.infra.service.test_alicloud_start import describe_change

TAGS = Tags(environment="dev", stack="alicloud-dev", more={})
RUN, COMMAND = "alicloud:ecs/ecsInvocation:EcsInvocation", "alicloud:ecs/command:Command"
WAIT, TEMPLATE = "alicloud:oos/execution:Execution", "alicloud:oos/template:Template"


def build(parameters: Mapping[str, str] | None = None) -> Recording:
    told = describe_change() if parameters is None else parameters

    def program() -> None:
        host = ServiceHost(
            "host",
            HostArgs(
                spec=plan_region(**PERSONAL, clouds=["alicloud"]).compute,
                vpc_id="vpc-1",
                cidr="10.20.0.0/16",
                subnet_id="vsw-1",
                zone_name="cn-beijing-h",
                write_user_data=lambda volume_id: volume_id,
                tags=TAGS,
                protect=False,
                keeps_copies=False,
            ),
        )
        changes = HostChanges("changes", HostChangesArgs(host=host, parameters=told, tags=TAGS))
        pulumi.export("association_id", changes.association_id)

    return record(program, region="cn-beijing", config={"alicloud:region": "cn-beijing"})


def test_another_setting_is_another_run_and_touches_nothing_else() -> None:
    changed = find_differences(build(), build(describe_change(**{"log.level": "WARNING"})))
    assert [(each.type, set(each.changed)) for each in changed] == [(RUN, {"parameters"})]


def test_the_run_is_the_host_s_with_every_parameter_of_the_command() -> None:
    found = build()
    run, command = found.one(RUN).props, found.one(COMMAND).props
    assert (run["instanceIds"], run["repeatMode"]) == (["i-host-instance"], "Once")
    assert run["commandId"] == "changes-command-id"
    script = base64.b64decode(command["commandContent"]).decode()
    assert all(f"'{{{{{name}}}}}'" in script for name in run["parameters"])
    assert (command["enableParameter"], command["timeout"]) == (True, TIMEOUT_S)
    assert found.outputs["association_id"] == "changes-run-id"


def test_records_of_runs_are_never_deleted() -> None:
    found = build()
    assert found.one(RUN).retain
    assert found.one(WAIT).retain


def test_a_new_host_is_waited_for_by_its_id() -> None:
    found = build()
    assert json.loads(found.one(WAIT).props["parameters"]) == {"instanceId": "i-host-instance"}
    assert found.one(WAIT).props["templateName"] == found.one(TEMPLATE).props["templateName"]
    content = json.loads(found.one(TEMPLATE).props["content"])
    assert content == json.loads(describe_wait())
    [task] = content["Tasks"]
    assert task["Properties"]["Parameters"]["InstanceIds"] == ["{{ instanceId }}"]
    assert set(content["Parameters"]) == {"instanceId"}


def test_values_are_those_of_the_provider_s_pages() -> None:
    known = {(row["kind"], row["value"]) for row in read_table("alicloud_facts_host.csv")}
    found = build()
    assert ("command type", found.one(COMMAND).props["type"]) in known
    assert ("run mode", found.one(RUN).props["repeatMode"]) in known
