"""Recommender: learns from what people view and buy what to show them next."""
