"""What every layer needs: settings, parameters, errors, names and words."""
