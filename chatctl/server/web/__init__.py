"""HTTP on the server's one port: the page, the API, and the way to a WebSocket."""
