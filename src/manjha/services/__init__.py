"""Use cases for the command line, the API and the scheduler. They know ports, not adapters."""
