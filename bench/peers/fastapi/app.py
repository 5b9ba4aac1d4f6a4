"""The start and status of a reverse call as a FastAPI service would have them, on the same table.

It keeps what a start must: one live verification per phone, a number kept only as a hash, the vendor asked once. The
vendor answers at once.
"""

import hashlib
import os
import secrets
import time
from typing import Annotated, Any

import boto3
import phonenumbers
import requests
from fastapi import FastAPI, Header, HTTPException
from mangum import Mangum
from pydantic import BaseModel, Field

WINDOW_SECONDS = 120
table = os.environ["TABLE_NAME"]
client = boto3.client("dynamodb")
http = requests.Session()
app = FastAPI()


class Start(BaseModel):
    phone: str
    provider: str | None = None
    method: str | None = None
    reference: str | None = Field(default=None, max_length=64)
    metadata: dict[str, str] = Field(default_factory=dict, max_length=10)
    end_user_ip: str | None = None
    locale: str | None = None


class Challenge(BaseModel):
    type: str
    number: str
    tel_uri: str


class Verification(BaseModel):
    id: str
    status: str
    phone: str
    challenge: Challenge | None
    reference: str | None
    metadata: dict[str, str]
    created_at: int
    expires_at: int


@app.post("/verifications", status_code=201)
def start(request: Start, idempotency_key: Annotated[str | None, Header()] = None) -> Verification:
    phone = phonenumbers.parse(request.phone, "RU")
    if not phonenumbers.is_valid_number(phone):
        raise HTTPException(422, "invalid_phone")
    e164 = phonenumbers.format_number(phone, phonenumbers.PhoneNumberFormat.E164)
    now = int(time.time())
    verification = Verification(
        id=f"vrf_{secrets.token_hex(13)}",
        status="pending",
        phone=f"{e164[:2]}******{e164[-4:]}",
        challenge=None,
        reference=request.reference,
        metadata=request.metadata,
        created_at=now,
        expires_at=now + WINDOW_SECONDS,
    )
    if idempotency_key:
        client.get_item(TableName=table, Key={"pk": {"S": f"peer_key#{idempotency_key}"}}, ConsistentRead=True)
    phone_hash = hashlib.sha256(e164.encode()).hexdigest()
    ttl = {"N": str(verification.expires_at + 86400)}
    items: list[dict[str, Any]] = [
        item_of(verification) | {"ttl": ttl},
        {"pk": {"S": f"peer_phone#{phone_hash}"}, "verification_id": {"S": verification.id}, "ttl": ttl},
        {"pk": {"S": f"peer_limit#{phone_hash}#{now // 600}"}, "ttl": ttl},
    ]
    if idempotency_key:
        items.append(
            {"pk": {"S": f"peer_key#{idempotency_key}"}, "verification_id": {"S": verification.id}, "ttl": ttl}
        )
    new = "attribute_not_exists(pk)"
    puts = [{"Put": {"TableName": table, "Item": item, "ConditionExpression": new}} for item in items]
    client.transact_write_items(TransactItems=puts)
    answer = http.post(
        os.environ["VENDOR_URL"],
        json={"phone": "8" + e164[2:], "webhook": f"{os.environ['PUBLIC_BASE_URL']}/webhooks/{verification.id}"},
        timeout=(2, 5),
        allow_redirects=False,
    )
    answer.raise_for_status()
    number = "+" + answer.json()["number"]
    verification.challenge = Challenge(type="call_number", number=number, tel_uri=f"tel:{number}")
    client.update_item(
        TableName=table,
        Key={"pk": {"S": f"peer#{verification.id}"}},
        UpdateExpression="SET document = :document",
        ConditionExpression="attribute_exists(pk)",
        ExpressionAttributeValues={":document": {"S": verification.model_dump_json()}},
    )
    return verification


@app.get("/verifications/{verification_id}")
def status(verification_id: str) -> Verification:
    key = {"pk": {"S": f"peer#{verification_id}"}}
    item = client.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item")
    if item is None:
        raise HTTPException(404, "not_found")
    verification = Verification.model_validate_json(item["document"]["S"])
    if verification.status == "pending" and verification.expires_at <= time.time():
        verification.status = "expired"
    return verification


def item_of(verification: Verification) -> dict[str, Any]:
    return {"pk": {"S": f"peer#{verification.id}"}, "document": {"S": verification.model_dump_json()}}


handler = Mangum(app, lifespan="off")
