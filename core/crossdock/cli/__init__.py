"""The ``crossdock`` command: one file a command group; the only part that prints."""

from typing import Any

import click

from crossdock.cli.ending import EXIT_CODES, exit_code, show_error
from crossdock.errors import CrossdockError, PluginError, closest


class Commands(click.Group):
    """A group of commands that suggests the closest one, and shows our errors as one line and a fix."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that the arguments name."""
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            close = closest(name, known)
            hint = f"Did you mean {close!r}?" if close else f"The commands are: {', '.join(known)}."
            raise click.UsageError(f"There is no command {name!r}. {hint}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours ends it with its exit code."""
        try:
            return super().invoke(ctx)
        except CrossdockError as error:
            show_error(error)
            ctx.exit(exit_code(error))
        except ModuleNotFoundError as error:
            if error.name not in _OF_SERVING:
                raise
            show_error(_not_installed(error.name))
            ctx.exit(EXIT_CODES["refused"])
        except KeyboardInterrupt:
            ctx.exit(EXIT_CODES["interrupted"])

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a command; one that is there stays, also if a plugin has another one of that name."""
        name = name or cmd.name or ""
        if self.commands.get(name, cmd) is not cmd:
            raise PluginError(
                f"there is a command {name!r} already", fix="Give the command of the plugin another name."
            )
        super().add_command(cmd, name)


_OF_SERVING = ("sqlalchemy", "alembic", "starlette", "uvicorn", "h11")
"""What serving and the operator's commands need: an extra, since jobs run without."""


def _not_installed(module: str) -> PluginError:
    return PluginError(
        f"what is served needs {module}, which is not installed", fix="Install it: pip install 'crossdock[serve]'."
    )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="crossdock", message="crossdock %(version)s")
def cli() -> None:
    """Run jobs made of adaptors' operations against incoming data."""


def add_commands() -> click.Group:
    """Add our own commands, and give the group of them all."""
    from crossdock.cli.adaptors import adaptors
    from crossdock.cli.check import check
    from crossdock.cli.credentials import credentials
    from crossdock.cli.cursors import cursors
    from crossdock.cli.dead import dead
    from crossdock.cli.doctor import doctor
    from crossdock.cli.export import export
    from crossdock.cli.graph import graph
    from crossdock.cli.messages import messages
    from crossdock.cli.new import new
    from crossdock.cli.project import project
    from crossdock.cli.prune import prune
    from crossdock.cli.run import run
    from crossdock.cli.runs import runs
    from crossdock.cli.serve import serve
    from crossdock.cli.stats import stats
    from crossdock.cli.store import store
    from crossdock.cli.trigger import trigger

    for command in (
        run,
        serve,
        trigger,
        messages,
        runs,
        dead,
        stats,
        export,
        prune,
        store,
        doctor,
        check,
        graph,
        new,
        adaptors,
        credentials,
        cursors,
        project,
    ):
        cli.add_command(command)
    return cli


def main() -> None:
    """Be the command ``crossdock``."""
    from crossdock.errors import PluginError
    from crossdock.plugins import Plugins

    add_commands()
    plugins = Plugins()
    plugins.load()
    for name, error in plugins.broken.items():
        show_error(PluginError(f"the plugin {name} is left out: {error}", fix=error.fix))
    plugins.add_commands(cli)
    cli()
