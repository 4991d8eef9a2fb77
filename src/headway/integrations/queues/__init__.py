"""What the integrations of task queues have in common: a ticket that travels with a task, and who looks after it."""
