"""Personal columns: the one place that says what people see of their cells, which is nothing.

A column with `personal: true` says something of a person. Its cells are kept with the rows, and learned from where it
is a feature. Sentences, logs, pages, alerts, reports, events, descriptions and explanations have HIDDEN in their place.
Whatever formats a cell for people asks `Column.shown`, and whatever says why one is wrong asks `Column.problem`; what
hands cells on (explanations, pictures, examples) leaves out the columns of `Schema.personal`.
"""

HIDDEN = "(personal)"  # stands where a cell would
