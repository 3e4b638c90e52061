"""What a machine's user data and scripts have of its cloud: the system, its packages, and how they ask the cloud."""

from collections.abc import Mapping
from dataclasses import dataclass

from infra.errors import InfraError

PYTHON = "python3.12"
"""The image's version; a package of Amazon Linux 2023, and Ubuntu 24.04's own."""
ASK_ALICLOUD = "/usr/local/libexec/reme/alicloud"
"""Our program for what AWS's machines ask `aws` for: the images have no tool of Alibaba Cloud's that does."""
ALICLOUD_PLACES = "/etc/reme/alicloud.json"
"""Where a machine has the addresses of the services that the program asks."""
MONITOR_VERSION = "3.5.10"
"""Of CloudMonitor's agent (`infra/data/alicloud_facts_host.csv`)."""
UNWRITTEN = "unwritten"
"""What a secret that a machine writes later has in its place: an encrypted parameter cannot be empty (OOS,
CreateSecretParameter, `Value`)."""
COLLECTOR_IDENTITY = "/etc/ilogtail/user_defined_id"
"""Where the collector reads which group of machines it belongs to (SLS, "Custom identifier-based machine group")."""
CENTRAL_SCALING = frozenset(
    {
        "ap-southeast-1",
        "cn-beijing",
        "cn-hangzhou",
        "cn-hongkong",
        "cn-qingdao",
        "cn-shanghai",
        "cn-shenzhen",
        "us-east-1",
        "us-west-1",
    }
)
"""The regions that Auto Scaling answers for at one address (`infra/data/alicloud_facts_cluster.csv`)."""
_EBS_LINK = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_"
_ESSD_LINKS = ("/dev/disk/by-id/virtio-", "/dev/disk/by-id/nvme-Alibaba_Cloud_Elastic_Block_Storage_")


class UnknownMachine(InfraError):
    """No machine of this cloud is known."""

    def __init__(self, cloud: str) -> None:
        super().__init__(f"machines of cloud {cloud!r} are not known; known: {', '.join(MACHINES)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """A cloud's machines.

    `scheme` begins a bucket's address. `copy` is the command that saves an object of a bucket to a file, `upload` the
    one that keeps a file as an object. `volume_prefix` begins the id of a volume, `volume_example` is one. `arn_parts`
    is how many parts with colons a secret's ARN has. `packages` are every machine's, `container_package` brings Docker.
    `updates` are the commands that install the system's security updates. `most_user_data_bytes` is what a machine
    takes before base64; where `takes_gzip` it unpacks them by itself, else each file is packed and the whole is text.
    """

    scheme: str
    copy: str
    upload: str
    volume_prefix: str
    volume_example: str
    arn_parts: int
    packages: tuple[str, ...]
    container_package: str
    updates: tuple[str, ...]
    most_user_data_bytes: int
    takes_gzip: bool


MACHINES: Mapping[str, Machine] = {
    # Amazon Linux stays at the release of its image unless it is told to look at the latest.
    "aws": Machine(
        scheme="s3",
        copy="aws s3 cp --only-show-errors",
        upload="aws s3 cp --only-show-errors",
        volume_prefix="vol-",
        volume_example="vol-0a1b2c",
        arn_parts=7,
        packages=(PYTHON, f"{PYTHON}-pip", "xfsprogs", "logrotate", "dnf-utils"),
        container_package="docker",
        updates=(
            "/usr/bin/dnf --assumeyes --quiet --security --releasever=latest upgrade",
            "/bin/sh -c '/usr/bin/dnf needs-restarting --reboothint || /usr/bin/systemctl reboot'",
        ),
        most_user_data_bytes=16_384,
        takes_gzip=True,
    ),
    "alicloud": Machine(
        scheme="oss",
        copy=f"{ASK_ALICLOUD} copy",
        upload=f"{ASK_ALICLOUD} upload",
        volume_prefix="d-",
        volume_example="d-2ze0a1b2c",
        arn_parts=5,
        packages=(PYTHON, f"{PYTHON}-venv", "curl", "logrotate", "unattended-upgrades", "xfsprogs"),
        container_package="docker.io",
        updates=(
            "/usr/bin/apt-get --quiet --quiet update",
            "/usr/bin/unattended-upgrade",
            "/bin/sh -c '[ ! -e /run/reboot-required ] || /usr/bin/systemctl reboot'",
        ),
        most_user_data_bytes=32_768,
        takes_gzip=False,
    ),
}
"""Amazon Linux 2023 on AWS, Ubuntu 24.04 on Alibaba Cloud.

EC2 takes 16 KB and unpacks gzip (EC2 User Guide, "Run commands at launch"). ECS takes 32 KB, and a gzip only behind a
link (ECS user guide, "Customize the initialization configuration for an instance")."""


def find_machine(cloud: str) -> Machine:
    """The machines of a cloud. Raises `UnknownMachine`."""
    if cloud not in MACHINES:
        raise UnknownMachine(cloud)
    return MACHINES[cloud]


def name_device(volume_id: str) -> str:
    """Where Amazon Linux shows an EBS volume by its id, however it is attached."""
    return f"{_EBS_LINK}{volume_id.replace('-', '')}"


def list_devices(cloud: str, volume_id: str) -> tuple[str, ...]:
    """Where a machine may show a volume by its id.

    A disk of Alibaba Cloud has what follows "d-" for a serial number, and its link begins as the machine's class
    attaches it, by virtio or NVMe (ECS user guide, "Query the serial number of a disk").
    """
    if cloud == "aws":
        return (name_device(volume_id),)
    return tuple(f"{link}{volume_id.removeprefix('d-')}" for link in _ESSD_LINKS)


def write_places(region: str) -> dict[str, str]:
    """The addresses that a machine of Alibaba Cloud asks: metadata, OSS, OOS, the registry of images, Auto Scaling and
    ECS.

    OSS is asked inside its network, where traffic costs nothing; `{bucket}` stands for a bucket's name.
    """
    return {
        "metadata": "http://100.100.100.200",
        "region": region,
        "objects": f"https://{{bucket}}.{name_object_host(region)}",
        "parameters": f"https://oos.{region}.aliyuncs.com",
        "registry": f"https://cr.{region}.aliyuncs.com",
        "scaling": f"https://{name_scaling_host(region)}",
        "machines": f"https://ecs.{region}.aliyuncs.com",
    }


def name_object_host(region: str) -> str:
    """OSS's host for machines of a region (OSS user guide, "Regions and endpoints", internal endpoint)."""
    return f"oss-{region}-internal.aliyuncs.com"


def name_scaling_host(region: str) -> str:
    """Auto Scaling's host of a region (`infra/data/alicloud_facts_cluster.csv`)."""
    return "ess.aliyuncs.com" if region in CENTRAL_SCALING else f"ess.{region}.aliyuncs.com"


def name_installers(region: str) -> dict[str, str]:
    """Where the installers of Alibaba Cloud's agents are: the collector's (SLS, "Install LoongCollector") and
    CloudMonitor's (`infra/data/alicloud_facts_host.csv`)."""
    collector = f"https://aliyun-observability-release-{region}.oss-{region}.aliyuncs.com/loongcollector"
    return {
        "collector_url": f"{collector}/linux64/latest/loongcollector.sh",
        "monitor_url": f"https://cms-agent-{region}.{name_object_host(region)}/Argus/agent_install_ecs-1.7.sh",
    }
