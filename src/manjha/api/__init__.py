"""Everything the bot does, over HTTP: `create_api(parts)` makes the application."""
