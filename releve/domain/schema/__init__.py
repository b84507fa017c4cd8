"""What a row may hold: columns, target, and the arrays that models take."""
