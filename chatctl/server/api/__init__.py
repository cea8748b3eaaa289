"""What ``curl`` and programs can ask for over HTTP: to post, to follow a room, to look up what was said."""
