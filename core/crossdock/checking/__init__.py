"""Finding the mistakes of job files without running them: what ``crossdock check`` does."""
