"""Who may come in and what they may do: kept in the data directory, by the server and the commands alike."""
