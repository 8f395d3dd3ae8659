"""`kit redact`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import errors_as_json, json_option, show_json, show_verified
from kit.core.errors import OperationalError

if TYPE_CHECKING:
    from kit.review.redact.bundle import Redacted

_file = click.Path(path_type=Path, dir_okay=False)


@click.command("redact")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the bundle; its zip goes beside it.")
@click.option("--key", type=_file, help="Redaction key; made if there is none. Default: in your configuration folder.")
@click.option("--signing-key", help="Private Ed25519 key to sign with.")
@click.option("--all", "everything", is_flag=True, help="Withhold every text, whatever the manifest lets be published.")
@click.option("--without-adapters", is_flag=True, help="Leave out trained adapters and losses of the training.")
@click.option("--anonymous", is_flag=True, help="For double-blind review: leave out what could name the authors.")
@click.option(
    "--open",
    "opened",
    metavar="RECORD",
    multiple=True,
    help="Instead, reveal a record of the whole bundle: EVALUATION:ID, CELL:ID or CELL.JUDGE:ID; may be repeated.",
)
@json_option
def command(
    bundle: Path,
    out: Path | None,
    key: Path | None,
    signing_key: str | None,
    opened: tuple[str, ...],
    *,
    as_json: bool,
    **left_out: bool,
) -> None:
    """Write a shareable bundle: texts withheld, still verifiable.

    Withheld are prompts, answers and judges' answers of the data sets that the manifest does not let be published, and
    all logs. Salted commitments stand in their place. With --open, what opens single commitments goes to stdout, or to
    the file --out, for `kit verify --opened`.
    """
    from kit.bundle.archive import open_bundle
    from kit.cli.environ import redaction_key, signer
    from kit.review.redact.bundle import Options, redact
    from kit.review.verify import verify

    if opened:
        with errors_as_json(as_json=as_json):
            _open(bundle, opened, key, out)
        return
    if out is None:
        raise click.UsageError("nothing to write: give --out")
    with errors_as_json(as_json=as_json):
        show_verified(verify(bundle))
        with open_bundle(bundle) as folder:
            redacted = redact(folder, out, Options(**left_out), key=redaction_key(key), signer=signer(signing_key))
    _show(redacted, as_json=as_json)


def _open(bundle: Path, records: tuple[str, ...], key: Path | None, out: Path | None) -> None:
    """Write what opens records of a whole bundle.

    Raises:
        OperationalError: there is no key, or `out` exists.
    """
    from kit.bundle.archive import open_bundle
    from kit.bundle.contents import load_contents
    from kit.cli.environ import config_folder
    from kit.review.redact.key import read_redaction_key
    from kit.review.redact.opening import open_records

    secret = read_redaction_key(key or config_folder() / "redaction_key")
    with open_bundle(bundle) as folder:
        document = open_records(load_contents(folder), records, secret, str(bundle))
    if out is None:
        show_json(document)
        return
    if os.path.lexists(out):
        raise OperationalError.of(out, "exists already", "choose another --out, or remove it")
    with out.open("x", encoding="utf-8", newline="\n") as stream:
        stream.write(json.dumps(document, indent=2) + "\n")
    click.echo(f"wrote {out}", err=True)


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
    if redacted.trained_on_withheld:
        click.echo("the adapters were trained on texts that may not be published: --without-adapters leaves them out")
    if redacted.redaction.anonymous:
        click.echo(f"anonymous: if {redacted.fingerprint} is known to be yours, sign with a new key (--signing-key)")
    click.echo(f"results digest: {redacted.results_digest}")
