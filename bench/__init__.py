"""Measurements, each against a peer or a physical limit in the same run: machines differ, ratios keep."""
