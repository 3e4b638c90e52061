"""What a cluster keeps its data in: database, cache, vectors, objects, and the copies of them."""

from dataclasses import dataclass

import pulumi

from infra.alicloud.backup import BackupArgs, BackupPlan
from infra.alicloud.cache import Cache, CacheArgs
from infra.alicloud.database import Database, DatabaseArgs
from infra.alicloud.foundation import Foundation
from infra.alicloud.object_store import ObjectStore, ObjectStoreArgs
from infra.alicloud.vectors import place_vectors
from infra.service.configuration import CACHE_SECRET, DATABASE_SECRET
from infra.vector_endpoint import VectorEndpoint


@dataclass(frozen=True, kw_only=True)
class Stores:
    """What the nodes keep their data in."""

    database: Database
    cache: Cache | None
    vectors: VectorEndpoint
    objects: ObjectStore
    backup: BackupPlan

    @property
    def ports(self) -> list[int]:
        """The ports inside the network at which the service calls its stores."""
        return [self.database.port, *([self.cache.port] if self.cache else []), *self.vectors.ports]


def make_stores(base: Foundation, access_log_bucket: pulumi.Input[str]) -> Stores:
    """Make the stores of a cluster, and the plan that copies them.

    Only private vSwitches reach the servers; who asked for which object is written to the bucket of access logs.
    """
    settings, plan, network, keys = base.settings, base.plan, base.network, base.keys
    zones = plan.network.zones
    database = Database(
        "database",
        DatabaseArgs(
            spec=plan.database,
            zone_names=network.zone_names[:zones],
            subnet_ids=network.data_subnet_ids[:zones],
            vpc_id=network.vpc_id,
            client_cidrs=network.private_cidrs,
            password=base.credentials.values[DATABASE_SECRET],
            kms_key_id=keys.data_key_id,
            # statements are kept as lines of access are
            log_days=plan.log_store.access_days,
            tags=base.tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    cache = None
    if plan.cache.nodes:
        cache = Cache(
            "cache",
            CacheArgs(
                spec=plan.cache,
                zone_names=network.zone_names[:zones],
                subnet_ids=network.data_subnet_ids[:zones],
                vpc_id=network.vpc_id,
                client_cidrs=network.private_cidrs,
                password=base.credentials.values[CACHE_SECRET],
                kms_key_id=keys.data_key_id,
                tags=base.tags,
                protect=settings.protect,
            ),
        )
    objects = ObjectStore(
        "objects",
        ObjectStoreArgs(
            spec=plan.object_store,
            kms_key_id=keys.data_key_id,
            account=base.account,
            access_log_bucket=access_log_bucket,
            tags=base.tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    backup = BackupPlan(
        "backup",
        BackupArgs(
            spec=plan.backup,
            kms_key_id=keys.data_key_id,
            account=base.account,
            access_log_bucket=access_log_bucket,
            tags=base.tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    vectors = place_vectors(base, backup)
    return Stores(database=database, cache=cache, vectors=vectors, objects=objects, backup=backup)
