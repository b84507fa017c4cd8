"""Blocks of a page and charts in SVG."""
