"""The command `releve`: the whole command line, above flows and tasks."""
