"""The inbox: what comes in from outside becomes messages, or is refused."""
