"""What the chapters on saliency measure at full size, one module a table, each with `table`."""
