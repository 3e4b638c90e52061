"""Lines that the cloud's own services deliver to the log service: a balancer's requests, a network's connections."""

import pulumi_alicloud as alicloud

from infra.tables import read_table

DELIVERED = {"balancer": "alb_access", "flows": "vpc_flows"}
"""Kinds of lines that services deliver, with the names of their stores (ours)."""
FIELDS_TABLE = "alicloud_delivered_fields.csv"


def index_delivered(kind: str, tokens: str) -> list[alicloud.log.StoreIndexFieldSearchArgs]:
    """What lines of a kind can be searched and counted by; `tokens` split words."""
    return [
        alicloud.log.StoreIndexFieldSearchArgs(
            name=row["name"],
            type=row["type"],
            token=tokens if row["type"] == "text" else None,
            enable_analytics=True,
        )
        for row in read_table(FIELDS_TABLE)
        if row["kind"] == kind
    ]
