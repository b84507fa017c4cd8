"""Answers explained: asked seldom, by who may, aside of every other request."""
