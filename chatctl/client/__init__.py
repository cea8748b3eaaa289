"""The client side: a connection any program can use, and the terminal that people use."""
