"""The API process: what it is put together from, and how it is served."""
