"""`kit redact`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import errors_as_json, json_option, show_json

if TYPE_CHECKING:
    from kit.redact.bundle import Redacted

_file = click.Path(path_type=Path, dir_okay=False)


@click.command("redact")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for the bundle; its zip goes beside it."
)
@click.option("--key", type=_file, help="Redaction key; made if there is none. Default: in your configuration folder.")
@click.option("--signing-key", type=_file, help="Private Ed25519 key to sign with.")
@click.option("--all", "everything", is_flag=True, help="Withhold every text, whatever the manifest lets be published.")
@click.option("--without-adapters", is_flag=True, help="Leave the trained adapters out.")
@json_option
def command(
    bundle: Path,
    out: Path | None,
    key: Path | None,
    signing_key: Path | None,
    *,
    everything: bool,
    without_adapters: bool,
    as_json: bool,
) -> None:
    """Write a shareable bundle: texts withheld, still verifiable.

    Withheld are prompts, answers and judges' answers of the data sets that the manifest does not let be published, and
    all logs. Salted commitments stand in their place.
    """
    from kit.bundle.archive import open_bundle
    from kit.cli.here import redaction_key, signer
    from kit.redact.bundle import Options, redact
    from kit.verify import verify

    if out is None:
        raise click.UsageError("nothing to write: give --out")
    with errors_as_json(as_json=as_json):
        click.echo(verify(bundle).identity(), err=True)
        options = Options(everything=everything, adapters=not without_adapters)
        with open_bundle(bundle) as folder:
            redacted = redact(folder, out, options, key=redaction_key(key), signer=signer(signing_key))
    _show(redacted, as_json=as_json)


def _show(redacted: Redacted, *, as_json: bool) -> None:
    if as_json:
        show_json(
            {
                "ok": True,
                "bundle": str(redacted.folder),
                "archive": str(redacted.archive),
                "results_digest": redacted.results_digest,
                "signed_by": redacted.fingerprint,
                "redaction": redacted.redaction.to_json(),
            }
        )
        return
    withheld = ", ".join(redacted.redaction.withheld) or "nothing: the manifest lets every data set's text be published"
    click.echo(f"bundle: {redacted.folder} and {redacted.archive}, signed by {redacted.fingerprint}")
    click.echo(f"withheld: {withheld}")
    click.echo(f"results digest: {redacted.results_digest}")
