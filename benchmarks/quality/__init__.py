"""How well memories are found: made and public question sets, the systems compared, and the report."""
