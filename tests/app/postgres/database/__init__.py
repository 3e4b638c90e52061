"""Connections, transactions and the schema of the store in PostgreSQL."""
