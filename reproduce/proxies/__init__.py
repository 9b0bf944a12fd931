"""What the chapters on proxies measure at full size, one module a table, each with `table`."""
