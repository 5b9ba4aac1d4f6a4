"""`deploy`: from a few questions to the first verified call.

Every parameter is given at each deployment, chosen or the template's own: CloudFormation would otherwise keep the value
that a default had when the stack was made, and what a new version does better would not arrive (decision 144).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click

from cli import parameters
from cli.deployments import Deployment, Deployments
from cli.errors import Refused, on_ctrl_c
from cli.first_call import first_call, next_steps
from cli.output import print_json
from cli.preflight import preflight, state_of
from cli.target import Target, refuse_empty
from local.build import ROOT, SAM, build, sam_environment
from local.processes import LocalStackError

DEFAULT_STACK = "callverify"
BUILT = ROOT / ".aws-sam" / "build" / "template.yaml"


# What a prompt refuses by BadParameter, it asks for again.


def _a_name(text: str) -> str:
    if not re.fullmatch(r"[a-zA-Z][-a-zA-Z0-9]{0,127}", text):
        raise click.BadParameter("a stack's name is a letter, then letters, digits and hyphens")
    return text


def _a_region(text: str) -> str:
    import boto3

    if text not in (known := boto3.Session().get_available_regions("lambda")):
        raise click.BadParameter(f"there is no region {text}; there are {', '.join(known)}")
    return text


def _a_value(name: str, text: str) -> str:
    if wrong := parameters.wrong(name, text):
        raise click.BadParameter(wrong)
    return text


@click.command()
@click.option(
    "--stack",
    metavar="NAME",
    envvar="CALLVERIFY_STACK",
    callback=lambda *given: given[2] and _a_name(given[2]),
    help=f"Default: asked for, or {DEFAULT_STACK}.",
)
@click.option("--region", help="Such as eu-central-1. Default: asked for, or that of your AWS profile.")
@click.option("--countries", metavar="RU,KZ", help="Countries whose numbers may be called.")
@click.option("--domain", metavar="NAME", help="A domain of your own; it needs --certificate.")
@click.option("--certificate", metavar="ARN", help="Its ACM certificate, in the same region.")
@click.option(
    "--set",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="Set any other parameter of template.yaml. Can be repeated.",
)
@click.option(
    "--unset", multiple=True, metavar="NAME", help="Reset a parameter to the template's default. Can be repeated."
)
@click.option("--yes", is_flag=True, help="Deploy without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--no-build", is_flag=True, help="Deploy the last build.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def deploy(
    stack: str | None,
    region: str | None,
    given: tuple[str, ...],
    unset: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    no_build: bool,
    as_json: bool,
    **named: str | None,
) -> None:
    """Deploy a stack into your AWS account, or update it.

    It asks for what matters, keeps what differs from the template's defaults in callverify.toml, which git ignores,
    and shows what would change before it changes anything.

    \b
    Example:
      callverify deploy --stack callverify --region eu-central-1 --countries RU,KZ
    """
    refuse_empty("stack", "region")
    asks = sys.stdin.isatty() and not yes
    if not asks and not yes and not dry_run:
        raise Refused("there is no terminal to ask in: --yes deploys without asking, --dry-run shows what would change")
    deployments = Deployments.read()
    name = stack or _name(deployments, asks)
    known = deployments.get(name)
    if not region and not known and asks:
        region = click.prompt("AWS region", default=_default_region(), value_proc=_a_region)
    plan = known or Deployment(name, region, {})
    plan = Deployment(name, region or plan.region, plan.parameters)
    target = Target(name, {}, plan.region)
    if known is None:
        plan = _adopted(target, plan)
    changed = {**_options(named), **_pairs(given)}
    if asks and known is None and not plan.parameters:
        changed = _answers() | changed
    plan = plan.with_parameters(changed)
    plan = Deployment(plan.name, plan.region, _without_defaults(plan.parameters, unset))
    values = {**parameters.defaults(parameters.declared()), **plan.parameters}
    parameters.check(values)
    state = preflight(target.session, name, has_push=values["PushUpdates"] == "true")
    _say_changes(target if state else None, values)
    if not dry_run:
        deployments.put(plan)
    _build(values["Architecture"], no_build)
    on_ctrl_c(f"stopped; AWS finishes what it has begun. Check with `callverify doctor --stack {name}`")
    _sam_deploy(plan, values, yes=yes, dry_run=dry_run)
    if dry_run:
        return
    _lead_on(Target(name, {}, plan.region), asks, as_json)


def _name(deployments: Deployments, asks: bool) -> str:
    names = deployments.names
    if len(names) > 1:
        raise Refused(f"which stack? --stack NAME; {deployments.file.name} knows {', '.join(names)}")
    default = names[0] if names else DEFAULT_STACK
    asked = asks and not names
    return str(click.prompt("Name of the stack", default=default, value_proc=_a_name)) if asked else default


def _default_region() -> str | None:
    import boto3

    region: str | None = boto3.Session().region_name
    return region


def _adopted(target: Target, plan: Deployment) -> Deployment:
    """What was chosen about a stack that somebody else deployed, or with another command."""
    client = target.client("cloudformation")
    if not state_of(client, plan.name):
        return plan
    template = client.get_template(StackName=plan.name, TemplateStage="Original")["TemplateBody"]
    if isinstance(template, str):
        from samcli.yamlhelper import yaml_parse  # type: ignore[import-untyped]

        template = yaml_parse(template)
    found = parameters.chosen(target.described, template)
    if found:
        click.echo(f"{plan.name} exists; its parameters are kept: {', '.join(found)}", err=True)
    return plan.with_parameters(found)


def _options(named: Mapping[str, str | None]) -> dict[str, str]:
    names = {"countries": "AllowedCountries", "domain": "DomainName", "certificate": "CertificateArn"}
    return {names[option]: value for option, value in named.items() if value is not None}


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [each.partition("=") for each in given]
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise click.UsageError(f"--set {wrong[0]}: it is NAME=VALUE.")
    return {name: value for name, _, value in pairs}


def _answers() -> dict[str, str]:
    """What matters of a first deployment."""
    answers = {
        "AllowedCountries": click.prompt(
            "Countries to call (ISO codes)",
            default=parameters.declared()["AllowedCountries"]["Default"],
            value_proc=lambda text: _a_value("AllowedCountries", text.replace(" ", "").upper()),
        )
    }
    domain = click.prompt(
        "A domain of your own (empty: API Gateway's)",
        default="",
        show_default=False,
        value_proc=partial(_a_value, "DomainName"),
    )
    if domain:
        certificate = click.prompt(
            "ARN of its ACM certificate, in this region",
            value_proc=partial(_a_value, "CertificateArn"),
        )
        answers |= {"DomainName": domain, "CertificateArn": certificate}
    return answers


def _without_defaults(chosen: Mapping[str, str], unset: tuple[str, ...]) -> dict[str, str]:
    standard = parameters.defaults(parameters.declared())
    return {name: value for name, value in chosen.items() if value != standard.get(name) and name not in unset}


def _say_changes(target: Target | None, values: Mapping[str, str]) -> None:
    before = target.parameters if target else parameters.defaults(parameters.declared())
    changed = {name: value for name, value in values.items() if before.get(name) != value}
    click.echo("Parameters that change:" if changed else "No parameter changes.", err=True)
    for name, value in sorted(changed.items()):
        click.echo(f"  {name}: {before.get(name, '(new)') or '(empty)'} → {value or '(empty)'}", err=True)


def _build(architecture: str, no_build: bool) -> None:
    if no_build:
        if not BUILT.exists():
            raise Refused("there is no build: leave out --no-build, or run `make build`")
        return
    click.echo("Building (half a minute, the first time more) …", err=True)
    try:
        build(["--parameter-overrides", f"Architecture={architecture}"])
    except LocalStackError as error:
        raise Refused(str(error)) from None


def _sam_deploy(plan: Deployment, values: Mapping[str, str], *, yes: bool, dry_run: bool) -> None:
    """`sam deploy` shows the change set, and asks."""
    command: list[str | Path] = [SAM, "deploy", "--stack-name", plan.name]
    command += ["--region", plan.region] if plan.region else []
    command += ["--no-confirm-changeset"] if yes or dry_run else []
    command += ["--no-execute-changeset"] if dry_run else []
    command += ["--no-progressbar", "--parameter-overrides"]
    command += [f'{name}="{value.replace('"', '\\"')}"' for name, value in values.items()]
    done = subprocess.run(command, cwd=ROOT, env=sam_environment(), stdout=sys.stderr, check=False)  # noqa: S603
    if done.returncode:
        raise Refused(f"{plan.name} was not deployed: see the SAM CLI's error above")


def _lead_on(target: Target, asks: bool, as_json: bool) -> None:
    steps = next_steps(target)
    if as_json:
        print_json({"stack": target.name, "base_url": target.base_url, "next": steps})
        return
    click.echo(f"\nDeployed {target.name}: {target.base_url}")
    if asks and click.confirm("Create a test key, and verify a test number with it now?", default=True):
        first_call(target)
    click.echo("Next:")
    for number, step in enumerate(steps, 1):
        click.echo(f" {number}. {step}")
