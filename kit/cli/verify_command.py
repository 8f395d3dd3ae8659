"""`kit verify`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit.cli.present import errors_as_json, json_option, show_json
from kit.core.escaping import on_one_line

if TYPE_CHECKING:
    from kit.bundle.signing.signers import Signers
    from kit.core.canonical import Json
    from kit.review.receipt import CheckedReceipt
    from kit.review.verify import Verification


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--signer", help="Who should have signed: a fingerprint, a public key, or a file of public keys.")
@click.option("--receipt", type=click.Path(path_type=Path, dir_okay=False), help="A reviewer's receipt of a rerun.")
@click.option("--reviewer", help="Who should have signed the receipt, as for --signer.")
@click.option(
    "--opened",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Records that `kit redact --open` revealed, to hold against the bundle's commitments.",
)
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    bundle: Path,
    signer: str | None,
    receipt: Path | None,
    reviewer: str | None,
    opened: Path | None,
    *,
    as_json: bool,
) -> None:
    """Check signatures and files, and compute every number again."""
    from kit.cli.signers import named_signers
    from kit.review.verify import verify

    if reviewer and not receipt:
        raise click.UsageError("--reviewer says who should have signed a --receipt, and there is none")
    with errors_as_json(as_json=as_json):
        signers, reviewers = named_signers(signer), named_signers(reviewer)
        found = verify(bundle, signers)
        checked = _checked(receipt, found, reviewers) if receipt else None
        revealed = _opened(bundle, opened) if opened else 0
    if as_json:
        notes = [note for named in (signers, reviewers) if named for note in named.notes]
        blocks: list[Json] = [asdict(one) for one in found.blocks]
        lists: dict[str, Json] = {"blocks": blocks, "not_recomputed": [*found.not_recomputed], "notes": [*notes]}
        about = {"receipt": _receipt_json(checked) if checked else None}
        redaction = found.redaction.to_json() if found.redaction else None
        document = {**asdict(found), "redaction": redaction, "opened": revealed}
        show_json({"ok": True, "identity": found.identity(), **document, **lists, **about})
    else:
        _show(found, checked, revealed)
    ctx.exit(0 if checked is None or checked.receipt.agrees else 1)


def _checked(receipt: Path, found: Verification, reviewers: Signers | None) -> CheckedReceipt:
    from kit.review.receipt import check_receipt

    return check_receipt(receipt, found, reviewers)


def _receipt_json(checked: CheckedReceipt) -> dict[str, Json]:
    from kit.bundle.signing.public_key import fingerprint

    receipt = checked.receipt
    return {
        "sentence": checked.sentence(),
        "fingerprint": fingerprint(receipt.public_key),
        "signer_known": checked.signer_known,
        "signer": checked.signer,
        "grade": receipt.grade,
        "required": receipt.required,
        "margin": receipt.margin,
        "agrees": receipt.agrees,
        "rerun": asdict(receipt.rerun),
        "time": receipt.time,
        "kit": receipt.kit,
    }


def _show(found: Verification, checked: CheckedReceipt | None, revealed: int) -> None:
    click.echo(found.identity())
    click.echo(f"{found.files} files as signed, {found.numbers} numbers and {found.verdicts} verdicts computed again")
    if found.incomplete:
        click.echo(f"incomplete: {on_one_line(found.incomplete)}")
    for line in found.caveats():
        click.echo(on_one_line(line))
    if revealed:
        click.echo(f"{revealed} opened records are those that the bundle commits to")
    if origin := found.redaction:
        click.echo(f"redacted: it says that it was made of {origin.original}, signed by {origin.signed_by}")
    if checked:
        click.echo(checked.sentence())
    click.echo(f"results digest: {found.results_digest}")


def _opened(bundle: Path, file: Path) -> int:
    """Hold opened records against a bundle that was verified, and return how many there are."""
    from kit.bundle.archive import open_bundle
    from kit.bundle.contents import load_contents
    from kit.core.canonical import read_json
    from kit.review.redact.opening import check_opened

    with open_bundle(bundle) as folder:
        return check_opened(load_contents(folder), read_json(file), str(file))
