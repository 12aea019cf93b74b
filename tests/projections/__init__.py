"""The read side: folds, the index that may lie or vanish, and what people are shown."""
