"""PostgreSQL and the broker as programs of installed packages, for a checkout with no server beside it."""
