"""The chat for a person: on a terminal, or between pipes."""
