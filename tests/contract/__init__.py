"""What every backend of a port must do: each suite runs over all of them."""
