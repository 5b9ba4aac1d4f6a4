"""What functions in containers need to know to work on the local stack: `sam local invoke --env-vars`."""

import json
import sys
from pathlib import Path

from local.aws import STACK_NAME, EmbeddedAws

VARIABLES_FILE = "sam-local.json"
CREDENTIALS = f"{STACK_NAME}/provider-credentials"
# This machine, as a container sees it: the bridge's address on Linux, a name where Docker has a machine of its own.
HOST_OF_CONTAINERS = "172.17.0.1" if sys.platform == "linux" else "host.docker.internal"


def write_variables(file: Path, aws: EmbeddedAws) -> None:
    """Write what the functions' variables are, for all of them: those of the deployed functions.

    A reference in the template has no value in `sam local`, and 127.0.0.1 is somewhere else for a container. Vendors'
    webhooks come to the deployed functions, which share table and pepper with those in containers.
    """
    variables = {name: _from_a_container(value) for name, value in aws.variables().items()}
    variables |= {
        "AWS_ENDPOINT_URL": _from_a_container(aws.endpoint),
        "PUBLIC_BASE_URL": aws.base_url,
        "PROVIDER_CREDENTIALS_SECRET": _credentials_for_containers(aws),
    }
    file.write_text(json.dumps({"Parameters": variables}, indent=2) + "\n")


def _credentials_for_containers(aws: EmbeddedAws) -> str:
    """A copy of the secret, with the simulators where a container finds them; its name."""
    name = f"{CREDENTIALS}-for-containers"
    text = aws.secrets_manager.get_secret_value(SecretId=CREDENTIALS)["SecretString"]
    aws.secrets_manager.create_secret(Name=name, SecretString=_from_a_container(text))
    return name


def _from_a_container(text: str) -> str:
    return text.replace("://127.0.0.1", f"://{HOST_OF_CONTAINERS}").replace("://localhost", f"://{HOST_OF_CONTAINERS}")
