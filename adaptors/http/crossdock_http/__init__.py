"""The adaptor for any HTTP API."""

from crossdock_http.client import Client
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.errors import HttpConnectionError, HttpError, RedirectError, UrlError
from crossdock_http.operations import adaptor, delete, get, get_all, head, patch, post, put, request

__all__ = [
    "Client",
    "HttpConfiguration",
    "HttpConnectionError",
    "HttpError",
    "RedirectError",
    "UrlError",
    "adaptor",
    "delete",
    "get",
    "get_all",
    "head",
    "patch",
    "post",
    "put",
    "request",
]
