started=$(curl -sS "$BASE_URL/verifications" -H "Authorization: Bearer $API_KEY" \
  -H "Idempotency-Key: $(openssl rand -hex 16)" -d '{"phone": "+79000000103", "method": "reverse_call"}')
echo "$started"
id=$(echo "$started" | grep -o 'vrf_[0-9a-z_]*' | head -n 1)
until curl -sS "$BASE_URL/verifications/$id" -H "Authorization: Bearer $API_KEY" | grep -v '"status":"pending"'; do sleep 1; done
