"""The chat for scripts: commands that say, follow, wait and ask."""
