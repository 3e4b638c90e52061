"""What a cluster keeps its data in: database, cache, vectors, objects, and the copies of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra.aws.backup import BackupArgs, BackupPlan
from infra.aws.cache import Cache, CacheArgs
from infra.aws.cluster import ServiceCluster
from infra.aws.database import Database, DatabaseArgs
from infra.aws.foundation import Foundation
from infra.aws.log_buckets import LogBuckets
from infra.aws.object_replication import find_peers
from infra.aws.object_store import ObjectStore, ObjectStoreArgs
from infra.aws.traffic import admit_members
from infra.aws.vectors import place_vectors
from infra.service.configuration import (
    CACHE_SECRET,
    DATABASE_SECRET,
)
from infra.vector_endpoint import VectorEndpoint


@dataclass(frozen=True, kw_only=True)
class Stores:
    """What the tasks keep their data in."""

    database: Database
    cache: Cache | None
    vectors: VectorEndpoint
    objects: ObjectStore
    backup: BackupPlan


def make_stores(base: Foundation, log_buckets: LogBuckets) -> Stores:
    """Make the stores of a cluster, and the plan that copies them."""
    settings, plan, network, keys = base.settings, base.plan, base.network, base.keys
    database = Database(
        "database",
        DatabaseArgs(
            spec=plan.database,
            vpc_id=network.vpc_id,
            subnet_ids=network.data_subnet_ids,
            client_security_group_ids=(),
            password=base.credentials.values[DATABASE_SECRET],
            kms_key_arn=keys.data_key_arn,
            log_key_arn=keys.log_key_arn,
            log_days=plan.log_store.application_days,
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
                vpc_id=network.vpc_id,
                subnet_ids=network.data_subnet_ids,
                client_security_group_ids=(),
                password=base.credentials.values[CACHE_SECRET],
                kms_key_arn=keys.data_key_arn,
                log_key_arn=keys.log_key_arn,
                log_days=plan.log_store.application_days,
                tags=base.tags,
            ),
        )
    objects = ObjectStore(
        "objects",
        ObjectStoreArgs(
            spec=plan.object_store,
            kms_key_arn=keys.data_key_arn,
            access_log_bucket=log_buckets.access_bucket,
            tags=base.tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
            peers=find_peers(settings, base.planned),
        ),
    )
    backup = BackupPlan(
        "backup",
        BackupArgs(
            spec=plan.backup,
            database=plan.database,
            database_arns=[database.arn],
            kms_key_arn=keys.data_key_arn,
            access_log_bucket=log_buckets.access_bucket,
            tags=base.tags,
            protect=settings.protect,
            keeps_copies=settings.keeps_copies,
        ),
    )
    vectors = place_vectors(base, backup)
    return Stores(database=database, cache=cache, vectors=vectors, objects=objects, backup=backup)


def admit_service(stores: Stores, cluster: ServiceCluster) -> None:
    """Let the tasks reach the stores, which are made before them."""
    doors: Sequence[tuple[str, pulumi.Input[str], Sequence[int]]] = [
        ("database", stores.database.security_group_id, (stores.database.port,)),
        *([("cache", stores.cache.security_group_id, (stores.cache.port,))] if stores.cache else []),
        *(
            [("vectors", stores.vectors.security_group_id, stores.vectors.ports)]
            if stores.vectors.security_group_id is not None
            else []
        ),
    ]
    for name, group_id, ports in doors:
        admit_members(f"{name}-from-service", group_id, cluster.security_group_id, ports=ports)
