"""The tables and figures of Dong et al. (2021), a module each."""
