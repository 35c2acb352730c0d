"""Streams of ticks over NATS JetStream. Needs the extra `stream`."""
