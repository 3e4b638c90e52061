"""Plans and addresses that the tests of the service's delivery share."""

from infra.service.configuration import ServiceAddresses
from sizing.plan import RegionPlan
from sizing.planner import size
from sizing.workload_document import read_workload

ADDRESSES = ServiceAddresses(
    database_host="reme.abc.us-east-1.rds.amazonaws.com",
    database_port=5433,
    cache_host="master.reme.use1.cache.amazonaws.com",
    vector_url="https://vectors.reme.internal:6333",
    vector_user="reme",
    bucket="reme-objects-1a2b3c4",
    bucket_key="arn:aws:kms:us-east-1:123456789012:key/5a6b",
)
PERSONAL = {"users": 50}
TEAM = {"users": 90, "memories_per_user": 8000}
COMPANY = {"users": 500}
PLATFORM = {"users": 5000}


def plan_region(**workload: object) -> RegionPlan:
    """The first region of a workload's plan."""
    return size(read_workload(workload)).primary
