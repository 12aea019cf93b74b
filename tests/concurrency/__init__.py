"""Several at once, and callers that are gone: writers, threads, processes, cancellations."""
