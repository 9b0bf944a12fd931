"""Families of models that explain themselves, one a file: fit, predict, explain."""
