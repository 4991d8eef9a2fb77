"""What an activity is, what may happen to it, and what each watcher has yet to read.

Pure: no I/O, no waiting, no clock, no logging, no randomness. The time and ids come in as arguments,
decisions go out as values.
"""
