"""The adaptor for KoboToolbox."""

from crossdock_kobotoolbox.adaptor import (
    Configuration,
    adaptor,
    attachments,
    download_attachment,
    form,
    forms,
    set_validation_status,
    stream_submissions,
    submissions,
)

__all__ = [
    "Configuration",
    "adaptor",
    "attachments",
    "download_attachment",
    "form",
    "forms",
    "set_validation_status",
    "stream_submissions",
    "submissions",
]
