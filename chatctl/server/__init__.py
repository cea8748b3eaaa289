"""The server side: listener, a session thread for each client, and the hub of rooms they meet in."""
