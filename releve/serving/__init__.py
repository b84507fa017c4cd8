"""What answers over HTTP, without the HTTP: the release being served, and the three questions it answers."""
