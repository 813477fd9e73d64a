"""Dataflow: an actor-based concurrent runtime for database workflows."""
