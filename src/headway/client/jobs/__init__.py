"""Reporting the jobs of a process to a server, from the background."""
