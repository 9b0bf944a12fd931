"""The figures and Table 3 of Marton et al. (2022), and what it costs to read networks."""
