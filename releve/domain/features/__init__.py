"""Features that nobody sends: the calendar of a row's time, and lags of columns."""
