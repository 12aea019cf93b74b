"""The write side on a simulated disk: every power loss, kill and error, in every place."""
