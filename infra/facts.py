"""What the stacks and the service must agree on; a contract test compares these with the running service."""

SERVICE_PORT = 8002
"""The port that the service listens on (`http.port`; requirements §6.2)."""
HEALTH_PATH = "/health"
"""Answers 200 while the service can serve; balancers ask it (requirements §6.2)."""
SERVICE_UID = 10001
"""The user that the service runs as in its container (Containerfile)."""

OBJECTS_PREFIX = "reme/"
"""Before the name of every object of the service in its bucket (`storage.prefix`)."""
WORKING_PREFIXES = tuple(f"{OBJECTS_PREFIX}{digit}" for digit in "0123456789abcdef")
"""Texts of working memory stand in folders named by a hash, so these are all that their names begin with; no other
object's does. They alone grow cold and expire (requirements §4.5 as corrected)."""
PROFILES_PREFIX = f"{OBJECTS_PREFIX}profiles/"
WEIGHTS_PREFIX = f"{OBJECTS_PREFIX}weights/"
"""Users' profiles and weights of local models: kept until somebody removes them."""

POSTGRES_DATABASE = "reme"
POSTGRES_USER = "reme"
"""The database and the user that the service connects with."""

QDRANT_PORT = 6333
QDRANT_GRPC_PORT = 6334
QDRANT_PEER_PORT = 6335
"""Qdrant's ports: HTTP, gRPC, and between the nodes of a cluster (Qdrant's configuration reference)."""
AUDIT_PREFIX = "service/"
"""Below which the service's role may add to the bucket of audit logs."""
SNAPSHOTS_PREFIX = "snapshots/qdrant"
"""Where Qdrant's nodes put their snapshots in the bucket of dumps."""
