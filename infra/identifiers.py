"""How the clouds write what a stack's file names: images, registries, keys, certificates, balancers."""

IMAGE = r"^(ami-[0-9a-f]{8,17}|m-[0-9a-z]{20}|[a-z][a-z0-9_.-]{1,126}\.vhd)?$"
"""An id of a machine image. AWS: eight digits in old accounts, seventeen since 2016 (EC2 user guide, "Resource IDs").
Alibaba Cloud: the account's own, or a public one named after what is in it (ECS user guide, "Image overview")."""
MIRROR = r"^([a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9][a-z0-9._/-]*[a-z0-9])?)?$"
"""A registry and a path in it, as the names of images begin (the distribution project's reference grammar)."""
OF_AWS = "ami-"
KEY_INSTANCE = r"kst-[0-9a-z]{8,40}"
"""An id of a KMS instance, as Alibaba Cloud's documentation writes it (KMS, ConnectKmsInstance)."""
CERTIFICATE = r"[0-9]{4,20}-(cn-hangzhou|ap-southeast-1)"
"""An id of Certificate Management Service and where it keeps the certificate: at home or for accounts abroad (the
provider's pages of alb.Listener and cdn.DomainNew)."""
BALANCER = r"^alb-[0-9a-z]{8,40}\.[a-z]{2}-[0-9a-z-]{4,24}\.alb\.aliyuncs(slb(intl)?)?\.com$"
"""The name of a balancer of Alibaba Cloud, with its region; since 2024-11-15 new ones end with aliyuncsslb.com, or
outside the mainland with aliyuncsslbintl.com (ALB user guide, "ALB instance overview")."""
REGISTRY_HOST = r"^([a-z0-9][a-z0-9-]*(\.[a-z0-9-]+)*\.aliyuncs\.com)?$"
"""The host of an instance of Alibaba Cloud's registry (ACR user guide, "Domain names")."""
ADDRESSES = r"^([0-9]{1,3}\.){3}[0-9]{1,3}(,([0-9]{1,3}\.){3}[0-9]{1,3}){0,5}$"
"""IPv4 addresses with commas between them: as many as a region has NAT gateways, with room."""
PACKAGE_INDEX = r"^(https://[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?)?$"
"""An index of Python's packages, without a name or a password in its address: it stands in user data."""
