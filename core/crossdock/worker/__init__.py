"""What runs jobs apart from the process that was asked for them."""
