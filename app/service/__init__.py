"""Use cases of the memory service: who may do what is decided here, before anything else."""
