"""The fault model, case by case: what is survived, what is refused, what is left untouched."""
