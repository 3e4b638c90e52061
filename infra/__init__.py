"""Pulumi programs that turn a plan into infrastructure, one stack per environment."""
