"""The dump job: when the whole store is copied to the buckets of dumps and of the archive, and how a host does so.

`reme backup` takes the copy while the service runs. The machine may write to the buckets, and neither read nor delete.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.service.configuration import WORKING_DIR
from infra.service.machine import ASK_ALICLOUD, find_machine, name_object_host
from infra.service.rendering import render

DUMPS_FOLDER = "reme"
"""Before the names of all dumps in both buckets."""
STORE_LOCK = f"{WORKING_DIR}/.copying"
"""Held on a host by dumps, which share it, and by a change of the release, which copies and may put back the store."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dump:
    """A kind of dump: the variable that has its bucket's address on a host, and when it is made.

    `calendar` is systemd's, `schedule` EventBridge's; both are UTC.
    """

    name: str
    variable: str
    calendar: str
    schedule: str

    @property
    def scratch(self) -> str:
        """Where the copy stands while it is sent; each kind has its own, so that two may be made at once."""
        return f"{WORKING_DIR}/.dump-{self.name}"


DUMPS = (
    Dump(name="dumps", variable="DUMPS_URL", calendar="Sun *-*-* 03:00:00 UTC", schedule="cron(0 3 ? * SUN *)"),
    Dump(name="archive", variable="ARCHIVE_URL", calendar="*-*-01 05:00:00 UTC", schedule="cron(0 5 1 * ? *)"),
)
"""§10.4: on Sunday at 03:00, kept 90 days, and on the month's first day, kept seven years; the hour of that is ours.
The hours and days between are recovery points of disks and databases (`infra.aws.backup`)."""


def write_dump_address(bucket: str, cloud: str = "aws") -> str:
    """Where `reme backup` puts dumps in a bucket."""
    return f"{find_machine(cloud).scheme}://{bucket}/{DUMPS_FOLDER}"


def write_dump_command(dump: Dump, address: str) -> tuple[str, ...]:
    """The arguments of `reme` that make a dump."""
    return ("backup", "--scratch", dump.scratch, address)


def write_dump_variables(buckets: Mapping[str, str], *, region: str, cloud: str = "aws") -> dict[str, str]:
    """What a host is told of its dumps; `buckets` has the bucket of each kind by its name."""
    addresses = {dump.variable: write_dump_address(buckets[dump.name], cloud) for dump in DUMPS}
    if cloud == "aws":
        return {**addresses, "AWS_DEFAULT_REGION": region}
    return {
        **addresses,
        "REME_STORAGE__REGION": region,
        # where traffic costs nothing
        "REME_STORAGE__ENDPOINT": f"https://{name_object_host(region)}",
    }


def write_dump_units(cloud: str = "aws") -> dict[str, str]:
    """The units of a host's dumps by their paths. The address comes with the settings, so that it may change."""
    files = {}
    for dump in DUMPS:
        unit, description = f"reme-{dump.name}", f"Copy the store to the bucket of {dump.name}"
        files[f"/etc/systemd/system/{unit}.service"] = render(
            "dump.service",
            name=unit,
            description=description,
            working_dir=WORKING_DIR,
            store_lock=STORE_LOCK,
            ask="" if cloud == "aws" else ASK_ALICLOUD,
            arguments=" ".join(write_dump_command(dump, f"${{{dump.variable}}}")),
        )
        files[f"/etc/systemd/system/{unit}.timer"] = render(
            "task.timer", description=description, calendar=dump.calendar
        )
    return files


def list_dump_timers() -> tuple[str, ...]:
    """The timers that a host starts."""
    return tuple(f"reme-{dump.name}.timer" for dump in DUMPS)
