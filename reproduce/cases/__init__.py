"""What the chapters of the part *Cases* measure at full size, one module a table, with `table`."""
