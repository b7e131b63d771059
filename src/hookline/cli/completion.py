"""`hookline completion`: completion for shells."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from hookline.cli.examples import ExampleCommand

_VARIABLE = "_HOOKLINE_COMPLETE"


@click.command(
    cls=ExampleCommand,
    examples="""
    source <(hookline completion bash)
    hookline completion zsh > ~/.zfunc/_hookline
    hookline completion fish > ~/.config/fish/completions/hookline.fish
    """,
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands in a shell."""
    from hookline.cli.root import root

    sort = get_completion_class(shell)
    if sort is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(sort(root, {}, "hookline", _VARIABLE).source())
