"""Bytes in both directions, no sockets: what the server writes and the client reads, and the other way round.

The rows, lists and notifications are Plex's; what Plex does not have is added behind Plex's own members.
"""
