"""The security list of the fault model: what a hostile store, text or caller must not achieve."""
