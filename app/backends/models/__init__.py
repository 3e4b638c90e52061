"""Language and embedding models of any provider that speaks OpenAI's HTTP API."""
