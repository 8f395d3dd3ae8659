"""`kit receipt`."""

from __future__ import annotations

from pathlib import Path

import click

from kit.cli.diff_command import GRADES
from kit.cli.present import errors_as_json, json_option, key_option, show_json
from kit.core.errors import OperationalError


@click.command("receipt")
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("receipt.dsse.json"),
    show_default=True,
    help="A new file for the receipt.",
)
@click.option(
    "--require", type=click.Choice(GRADES), default="equivalent", show_default=True, help="Lowest grade for exit 0."
)
@click.option(
    "--margin", type=click.FloatRange(0, 1, min_open=True), help="Largest difference of a rate that is still the same."
)
@key_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    a: Path,
    b: Path,
    out: Path,
    require: str,
    margin: float | None,
    key: str | None,
    *,
    as_json: bool,
) -> None:
    """Sign that bundle A was run again as bundle B, and the grade.

    Verifies both first. A worse grade than was required is signed too, and is a finding. The author's readers check
    the receipt with `kit verify A --receipt FILE`.
    """
    from kit.bundle.publish import now
    from kit.bundle.signing.public_key import fingerprint
    from kit.cli.environ import signer
    from kit.review.diff.grade import Grade
    from kit.review.receipt import make_receipt

    with errors_as_json(as_json=as_json):
        if out.exists():
            raise OperationalError.of(out, "exists already", "choose another --out: a receipt is never overwritten")
        receipt, envelope = make_receipt(a, b, signer(key), required=Grade(require), margin=margin, time=now())
        with out.open("xb") as stream:
            stream.write(envelope)
    mine = fingerprint(receipt.public_key)
    if as_json:
        show_json(
            {"ok": True, "receipt": str(out), "signed_by": mine, "grade": receipt.grade, "agrees": receipt.agrees}
        )
    else:
        click.echo(f"{receipt.grade}: {a} was run again as {b}; at least {require} was required")
        click.echo(f"receipt: {out}, signed by {mine}")
    ctx.exit(0 if receipt.agrees else 1)
