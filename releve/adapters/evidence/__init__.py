"""What a pack of evidence is written with: the archive, and the forms that others have programs for."""
