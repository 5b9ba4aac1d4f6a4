import os
import time
import uuid

import requests

API = os.environ["BASE_URL"]
KEY = {"Authorization": f"Bearer {os.environ['API_KEY']}"}

verification = requests.post(
    f"{API}/verifications",
    headers=KEY | {"Idempotency-Key": str(uuid.uuid4())},
    json={"phone": "+79000000103", "method": "reverse_call"},
    timeout=20,
).json()
print("Show the user:", verification["challenge"]["number"])

while verification["status"] == "pending":
    time.sleep(3)
    verification = requests.get(f"{API}/verifications/{verification['id']}", headers=KEY, timeout=20).json()
print(verification["status"], verification["evidence"])
