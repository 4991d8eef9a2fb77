"""Live streams: what is watched, followed and waited for, as steps."""
