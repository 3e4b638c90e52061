"""Files and units that machines of several kinds have: how they ask their cloud, agents, security updates."""

from collections.abc import Sequence

from infra.service.machine import (
    ALICLOUD_PLACES,
    ASK_ALICLOUD,
    COLLECTOR_IDENTITY,
    MONITOR_VERSION,
    UNWRITTEN,
    find_machine,
    name_installers,
    write_places,
)
from infra.service.rendering import render, write_json

INSTALL_AGENTS = "/usr/local/sbin/reme-install-agents"
"""What installs the agents of Alibaba Cloud, which come from no list of packages."""
SECRET_PATIENCE_S, SECRET_POLL_S = 300, 5
"""Ours: how long a unit waits for a secret that another machine writes, less than it has to start; then it begins
anew."""


def write_secrets_fetcher(cloud: str) -> str:
    """The program that fetches a unit's secrets when it starts."""
    return render(
        "fetch_secrets.py",
        cloud=cloud,
        arn_parts=find_machine(cloud).arn_parts,
        ask=ASK_ALICLOUD,
        unwritten=UNWRITTEN,
        patience_s=SECRET_PATIENCE_S,
        poll_s=SECRET_POLL_S,
    )


def write_update_units(commands: Sequence[str]) -> dict[str, str]:
    """The units that install the system's security updates every night by these commands."""
    return {
        "/etc/systemd/system/reme-updates.service": render("updates.service", commands=commands),
        "/etc/systemd/system/reme-updates.timer": render("updates.timer"),
    }


def write_asking_program(region: str, *, cluster: bool = False) -> dict[str, str]:
    """The program that asks Alibaba Cloud, and where it asks; with what a `cluster`'s nodes alone ask for."""
    return {
        ASK_ALICLOUD: render("alicloud.py", places=ALICLOUD_PLACES, cluster=cluster),
        ALICLOUD_PLACES: write_json(write_places(region)),
    }


def write_agents(region: str, machine_group: str) -> dict[str, str]:
    """What installs Alibaba Cloud's agents, and as which machine the one that ships lines is known."""
    return {
        COLLECTOR_IDENTITY: f"{machine_group}\n",
        INSTALL_AGENTS: render(
            "install_agents.sh", region=region, monitor_version=MONITOR_VERSION, **name_installers(region)
        ),
    }
