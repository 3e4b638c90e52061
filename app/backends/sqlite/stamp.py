"""The stamp of the embedding that the store's vectors were made with."""

from app.backends.identities import Stamp
from app.backends.sqlite.schema import read_fact, write_fact

_STAMP = Stamp(read_fact, write_fact)

read_identity, write_identity = _STAMP.read_identity, _STAMP.write_identity
read_target, write_target = _STAMP.read_target, _STAMP.write_target
read_generation, raise_generation = _STAMP.read_generation, _STAMP.raise_generation
