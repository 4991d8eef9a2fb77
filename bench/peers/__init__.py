"""What the benches compare: a server each, started as a process of its own."""
