"""Where the world is touched: one outside system per file; values cross, vendor objects do not."""
