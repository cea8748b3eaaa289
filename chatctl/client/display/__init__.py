"""What is seen on a terminal or in a pipe, and how it looks."""
