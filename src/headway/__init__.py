"""Headway: activities that can be seen, watched live and cancelled."""

__version__ = "0.1.0"
