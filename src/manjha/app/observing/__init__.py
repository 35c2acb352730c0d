"""What is seen of running processes from outside: lines of a log, figures for Prometheus, traces of orders."""
