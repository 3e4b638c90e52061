"""Working memory: conversations that are made shorter, and what is taken out of them."""

from app.service.working.maintenance import Maintained
from app.service.working.patterns import Match
from app.service.working.service import Shortened, WorkingMemory, gather

__all__ = ["Maintained", "Match", "Shortened", "WorkingMemory", "gather"]
