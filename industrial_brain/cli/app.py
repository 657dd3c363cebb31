"""The list of commands, and the one place where errors end."""

from __future__ import annotations

import sys

import typer

from industrial_brain import __version__
from industrial_brain.cli import (
    access,
    anomalies,
    backtest,
    benchmark,
    city,
    devices,
    forecasting,
    leads,
    mqtt,
    nowcast,
    override,
    pretrain,
    risks,
    service,
    simulate,
    targets,
    versions,
    why,
)
from industrial_brain.cli.terminal import debugging, err, print_error
from industrial_brain.domain.errors import BrainError, InputError

_HELP = """\
Analytics for a city and its factories: forecasts, with the versions, the evidence and the intervals behind them.

A first walk: `brain demo` shows everything on a simulated city. For your own data: `brain init`, `brain import indicators
FILE`, `brain train forecasting`, `brain forecast ID`, `brain serve`.

Where things are kept is set by BRAIN_HOME (default: this folder), BRAIN_DATABASE_URL, BRAIN_MLFLOW_URI and
BRAIN_RAY_ADDRESS; `brain doctor` prints them and says what is wrong with an installation.
"""

app = typer.Typer(
    help=_HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown", add_completion=False
)
for group in (
    city,
    simulate,
    forecasting,
    why,
    override,
    nowcast,
    anomalies,
    targets,
    leads,
    risks,
    backtest,
    versions,
    service,
    mqtt,
    access,
    devices,
    benchmark,
    pretrain,
):
    group.add_to(app)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and stop.", is_eager=True),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; an error becomes one sentence, a next step, and an exit code: 2 for input, 1 for the rest."""
    try:
        app()
    except BrainError as error:
        print_error(error.message, error.next_step)
        if debugging():
            raise
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        err.print("Stopped.")
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(1)  # the reader of our output went away, as `head` does
    except Exception as error:  # the last line of defence: a user never sees a traceback
        if debugging():
            raise
        print_error(
            f"This is a bug: {type(error).__name__}: {error}",
            "Run the same command with BRAIN_DEBUG=1 and report what it prints.",
        )
        sys.exit(70)
