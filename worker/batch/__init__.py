"""Batches: many jobs that one manifest describes."""
