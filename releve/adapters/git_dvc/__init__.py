"""Git and DVC: branches, data versions, committed settings."""
