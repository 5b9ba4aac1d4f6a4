"""Which stack a command is about: one in AWS by its name, the one that `make dev` runs here, or a profile's."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property, update_wrapper
from pathlib import Path
from typing import Any

import click

from cli.api import Api
from cli.errors import Refused, code_of
from local.build import ROOT
from local.env import read_env

LOCAL_PROFILE = Path(".dev/env")
LIVE, TEST = "live", "test"
KEYS = {LIVE: "API_KEY", TEST: "TEST_API_KEY"}
KEY_VARIABLE = "CALLVERIFY_API_KEY"


class Target:
    """A stack. `name`: its name in AWS. `profile`: what a file says about it, with the names of `.dev/env`."""

    def __init__(self, name: str | None, profile: Mapping[str, str], region: str | None = None) -> None:
        self._name = name
        self._region = region
        self.profile = profile
        # For boto3, and for the commands that are started.
        os.environ.update({key: value for key, value in profile.items() if key.startswith("AWS_")})

    @property
    def name(self) -> str:
        """Raises Refused where a profile names none."""
        if found := self._name or self.profile.get("STACK_NAME"):
            return found
        raise Refused(
            "this profile names no stack: add a line `export STACK_NAME=…`, or BASE_URL where only the API is asked; "
            "or use --stack NAME"
        )

    @property
    def is_local(self) -> bool:
        return "SIMULATOR_URL" in self.profile

    @cached_property
    def session(self) -> Any:
        import boto3

        # boto3 itself reads AWS_DEFAULT_REGION alone.
        return boto3.Session(region_name=self._region or os.environ.get("AWS_REGION"))

    def client(self, service: str) -> Any:
        return self.session.client(service)

    @cached_property
    def described(self) -> Mapping[str, Any]:
        """The stack as CloudFormation describes it. Raises Refused where there is none."""
        from botocore.exceptions import ClientError

        name = self.name  # before a client, which wants a region
        try:
            found: Mapping[str, Any] = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if code_of(error) == "ValidationError":
                region = self.session.region_name
                raise Refused(f"there is no stack {self.name} in {region}: `callverify deploy` creates one") from None
            raise
        return found

    @property
    def outputs(self) -> dict[str, str]:
        return {each["OutputKey"]: each["OutputValue"] for each in self.described.get("Outputs", [])}

    @property
    def parameters(self) -> dict[str, str]:
        return {each["ParameterKey"]: each["ParameterValue"] for each in self.described.get("Parameters", [])}

    def output(self, name: str) -> str:
        """Raises Refused for one that this stack does not have."""
        if name in self.outputs:
            return self.outputs[name]
        raise Refused(f"the stack {self.name} has no output {name}: it has another version, or its deployment failed")

    @property
    def base_url(self) -> str:
        if "BASE_URL" in self.profile:
            return self.profile["BASE_URL"]
        endpoint = os.environ.get("AWS_ENDPOINT_URL")
        # An embedded AWS answers at no name of Amazon's.
        return f"{endpoint}/_aws/execute-api/{self.output('ApiId')}/v1" if endpoint else self.output("BaseUrl")

    def api(self, mode: str = LIVE) -> Api:
        """The API with a key of this mode. Raises Refused where there is none.

        A key in the environment is taken as it is: the API says its mode.
        """
        if key := self.profile.get(KEYS[mode]) or os.environ.get(KEY_VARIABLE):
            return Api(self.base_url, key)
        make = f"callverify api-key create NAME --mode {mode}" + (f" --stack {self._name}" if self._name else "")
        raise Refused(
            f"no API key: set the variable {KEY_VARIABLE}, or {KEYS[mode]} in a profile; `{make}` creates one"
        )


def target(stack: str | None, profile: Path | None) -> Target:
    """The stack that was named; else the local one, where one runs. Raises Refused."""
    if stack:
        from cli.deployments import Deployments

        return Target(stack, {}, Deployments.read().region(stack))
    file = profile or next((each for each in (LOCAL_PROFILE, ROOT / LOCAL_PROFILE) if each.exists()), None)
    if file is None:
        raise Refused("no local stack runs here: start one with `make dev`, or name one in AWS with --stack NAME")
    try:
        return Target(None, read_env(file))
    except (OSError, ValueError) as error:
        raise Refused(f"the profile can't be read: {error}. Check --profile, or CALLVERIFY_PROFILE") from None


def refuse_empty(*names: str) -> None:
    """Raises UsageError for an empty word: of an unset variable of a shell, it would mean another stack, or none."""
    context = click.get_current_context()
    for parameter in context.command.params:
        if parameter.name in names and context.params.get(parameter.name) == "":
            raise click.UsageError(f"{parameter.get_error_hint(context)} is empty: give it a value, or leave it out.")


def on_stack(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which stack, and the `Target` in their place."""

    @click.option("--stack", metavar="NAME", envvar="CALLVERIFY_STACK", help="A stack in your AWS account.")
    @click.option(
        "--profile",
        metavar="FILE",
        envvar="CALLVERIFY_PROFILE",
        type=click.Path(path_type=Path),
        help="A file of `export NAME=value` lines: BASE_URL and API_KEY, or STACK_NAME and AWS_…. Default: .dev/env.",
    )
    def with_target(stack: str | None, profile: Path | None, **options: Any) -> Any:
        refuse_empty("stack", *options)
        if stack and profile:
            raise click.UsageError("Give either --stack or --profile.")
        return command(target=target(stack, profile), **options)

    return update_wrapper(with_target, command)


def as_json(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(command)
