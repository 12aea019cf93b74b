"""Random programs, run against the filesystem and against the model."""
