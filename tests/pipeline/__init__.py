"""Pipelines: order, partitions, retries, blocks, resumes, on both loops and both backends."""
