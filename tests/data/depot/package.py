"""The adaptor for Depot."""

from crossdock_depot.adaptor import Configuration, adaptor, download_leaflet, receive, search, stock, upload_leaflet

__all__ = ["Configuration", "adaptor", "download_leaflet", "receive", "search", "stock", "upload_leaflet"]
