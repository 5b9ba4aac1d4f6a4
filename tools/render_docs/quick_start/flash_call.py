import os
import uuid

import requests

API = os.environ["BASE_URL"]
KEY = {"Authorization": f"Bearer {os.environ['API_KEY']}"}

started = requests.post(
    f"{API}/verifications",
    headers=KEY | {"Idempotency-Key": str(uuid.uuid4())},
    json={"phone": "+79000000101", "method": "flash_call"},
    timeout=20,
).json()
print(started["status"], started["challenge"])

checked = requests.post(
    f"{API}/verifications/{started['id']}/check",
    headers=KEY,
    json={"code": "0000"},
    timeout=20,
).json()
print(checked["status"], checked["valid"])
