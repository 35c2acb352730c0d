"""Benchmarks: our own workloads, and the peers' in environments of their own. Never imported by the package."""
