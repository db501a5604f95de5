"""The catalogue: its record in PostgreSQL, its search side in Elasticsearch, and the consumer between the two."""
