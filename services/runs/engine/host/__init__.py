"""The process that a run has to itself."""
