"""The crash test: a whole Usher is killed and frozen thousands of times while customers write."""
