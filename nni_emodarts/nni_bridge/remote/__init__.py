"""Experiments whose trials run on other machines, by NNI's remote service (SSH)."""
