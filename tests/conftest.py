"""What all tests share: one plugin module for each outside thing."""

# pytest wants to import each of them itself, so those that build on others stand last.
pytest_plugins = [
    "fix_browser",
    "fix_command",
    "fix_distribution",
    "fix_keyring",
    "fix_measured",
    "fix_memory",
    "fix_project",
    "fix_proxy",
    "fix_serve",
    "fix_server",
    "fix_sftp",
    "fix_store",
    "fix_operate",
    "fix_storm",
    "fix_systems",
    "fix_tls",
    "fix_terminal",
    "fix_http",
    "fix_postgres_proxy",
    "fix_dhis2",
    "fix_kobotoolbox",
    "fix_case",
]
