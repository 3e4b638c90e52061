"""One assessment, several renderers: terminal, Markdown, HTML, JSON, CSV, Infracost's JSON."""
