"""The tables and figures of Sudjianto et al. (2020), a module each."""
