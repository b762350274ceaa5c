"""The store: messages, runs, attempts, steps, logs and cursors, in SQLite or PostgreSQL.

It needs the extra ``crossdock[serve]``, so nothing but serving imports it.
"""
