"""What the recommender relies on from its store, on real PostgreSQL."""
