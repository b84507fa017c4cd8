"""Pages for people who are no experts: from a file to an answer, one question at a time."""
