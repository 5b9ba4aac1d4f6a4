"""What functions in containers need to know to work on the local stack: `sam local invoke --env-vars`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from local.aws import STACK_NAME, EmbeddedAws

VARIABLES_FILE = "sam-local.json"
# This machine, as a container sees it: the bridge's address on Linux, a name where Docker has a machine of its own.
HOST_OF_CONTAINERS = "172.17.0.1" if sys.platform == "linux" else "host.docker.internal"


def write_variables(file: Path, aws: EmbeddedAws, parameters: Mapping[str, str], env: Mapping[str, str]) -> None:
    """Write what the functions' variables are, for all of them. `parameters` are those that the stack was given.

    A reference in the template has no value in `sam local`, and 127.0.0.1 is somewhere else for a container.
    """
    urls = {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "UCALLER_BASE_URL": parameters["UcallerBaseUrl"],
        "TELEFON_IP_BASE_URL": parameters["TelefonIpBaseUrl"],
        "SMSC_BASE_URL": parameters["SmscBaseUrl"],
        "EVENT_WEBHOOK_URL": parameters["EventWebhookUrl"],
        "SETTLEMENT_QUEUE_URL": aws.output("SettlementQueueUrl"),
        "DELIVERY_QUEUE_URL": aws.output("DeliveryQueueUrl"),
    }
    variables = {
        **{name: _from_a_container(url) for name, url in urls.items()},
        # Vendors' webhooks come to the deployed functions, which share table and pepper with those in containers.
        "PUBLIC_BASE_URL": parameters["PublicBaseUrl"],
        "ALLOW_PRIVATE_EVENT_URL": parameters["AllowPrivateEventUrl"],
        "TABLE_NAME": env["TABLE_NAME"],
        "EVENT_BUS_NAME": aws.output("EventBusName"),
        "PEPPER_SECRET": f"{STACK_NAME}/pepper",
        "PROVIDER_CREDENTIALS_SECRET": f"{STACK_NAME}/provider-credentials",
        "API_KEYS_SECRET": f"{STACK_NAME}/api-keys",
        "EVENT_SIGNING_SECRET": f"{STACK_NAME}/event-signing",
    }
    file.write_text(json.dumps({"Parameters": variables}, indent=2) + "\n")


def _from_a_container(url: str) -> str:
    return url.replace("://127.0.0.1", f"://{HOST_OF_CONTAINERS}").replace("://localhost", f"://{HOST_OF_CONTAINERS}")
