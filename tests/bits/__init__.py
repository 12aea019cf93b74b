"""Every bit of what is stored, flipped; every line moved: nothing damaged is silent."""
