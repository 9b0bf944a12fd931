"""Slides for each week of a course, made from the chapters' figures: ``python -m tools.slides``."""
