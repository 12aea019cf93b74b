"""Any moment of a run: the state that its first events make."""
