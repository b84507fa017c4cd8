"""Tables in the shapes in which they come: one file per format, all of them read in chunks of bounded size."""
