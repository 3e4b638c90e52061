"""Keys, jobs, counts, money, offloads and notes in PostgreSQL, as several nodes use them at once."""
