"""The memory service: personal, task, tool and working memory over HTTP, MCP and as a Python import."""
