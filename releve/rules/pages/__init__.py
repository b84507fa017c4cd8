"""Pages for people: what they are made of (`blocks`), and how each part is drawn as HTML and SVG."""
