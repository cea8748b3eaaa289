"""Whole histories: exported to files that programs or people read, imported again, and backed up."""
