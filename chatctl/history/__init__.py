"""The log of each room: who appends gets ids, who reads gets what was appended."""
