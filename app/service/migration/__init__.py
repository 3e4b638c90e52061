"""Moving live workspaces, or a whole deployment, between two stores."""

from app.service.migration.movement import LEASE_MS, Moved, Movement, Plan, Planned, move_back
from app.service.migration.places import Place

__all__ = ["LEASE_MS", "Moved", "Movement", "Place", "Plan", "Planned", "move_back"]
