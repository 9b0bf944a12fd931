"""What the chapter on Shapley values shows and is too slow for a page, a module each."""
