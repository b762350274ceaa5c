"""The marks of hooks: what a plugin implements is marked with ``@hookimpl``."""

import pluggy

hookimpl = pluggy.HookimplMarker("crossdock")
hookspec = pluggy.HookspecMarker("crossdock")
