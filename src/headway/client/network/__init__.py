"""The two drivers over httpx2, one for threads and one for event loops: what carries the steps out."""
