"""What all tests share: one plugin module for each outside thing."""

# pytest wants to import each of them itself, so those that build on others stand last.
pytest_plugins = [
    "fix_command",
    "fix_distribution",
    "fix_postgres",
    "fix_run",
    "fix_silent",
    "fix_systems",
    "fix_http",
    "fix_dhis2",
    "fix_case",
]
