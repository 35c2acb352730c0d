"""An account at Kite put together: login, connections and time, and who looks at it from outside."""
