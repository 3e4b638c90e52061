"""The Model Context Protocol: memory as tools that a language model calls, over HTTP at `/mcp` or over stdio.

A tool is a route of the HTTP API with arguments for models: what is allowed, limited, checked and counted there is so
here. Nothing in this package reads or writes memories itself.
"""
