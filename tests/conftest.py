"""What all tests share: one plugin module for each outside thing."""

pytest_plugins = ["fix_command", "fix_distribution", "fix_postgres", "fix_run"]
