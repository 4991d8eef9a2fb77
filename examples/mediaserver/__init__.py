"""A small media server: its scans, refreshes and clean-ups are activities that any Plex client can follow and stop."""
