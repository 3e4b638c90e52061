"""Weights of embedding models, kept in the object store for all nodes."""

from app.service.weights.catalogue import Kept, Weights
from app.service.weights.manifest import Manifest, PushedFile, PushedPart
from app.service.weights.pushing import Pushed

__all__ = ["Kept", "Manifest", "Pushed", "PushedFile", "PushedPart", "Weights"]
