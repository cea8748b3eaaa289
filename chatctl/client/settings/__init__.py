"""What can be set once for all, in a file of TOML: which settings there are; how it is read and changed."""
