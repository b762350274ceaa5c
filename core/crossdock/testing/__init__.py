"""What proves jobs and adaptors on the real thing."""
