"""An experiment made, listed, and sent to the gate."""
