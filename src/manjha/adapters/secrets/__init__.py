"""Where secrets are kept: in the environment, or in a sealed file."""
