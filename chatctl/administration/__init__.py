"""What commands do on a data directory about who may do what, also while its server runs."""
