"""A provider plugin for tests: the engine of Pulumi on one side, Terraform's real AWS provider on the other.

The Terraform provider speaks to an emulator of AWS. So a stack is validated, planned, created, refreshed and destroyed
by the code that does it in a user's account. It is Terraform's provider 5.100, one major version behind the one that
Pulumi's SDK is made from. `stage` is what tests use; the rest runs in an environment of its own (`requirements.lock`).
"""
