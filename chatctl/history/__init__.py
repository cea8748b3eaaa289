"""The log of each room: one contract (`log`), kept in memory (`memory`) or in a data directory (`sqlite`)."""
