started=$(curl -sS "$BASE_URL/verifications" -H "Authorization: Bearer $API_KEY" \
  -H "Idempotency-Key: $(openssl rand -hex 16)" -d '{"phone": "+79000000101", "method": "flash_call"}')
echo "$started"
id=$(echo "$started" | grep -o 'vrf_[0-9a-z_]*' | head -n 1)
curl -sS "$BASE_URL/verifications/$id/check" -H "Authorization: Bearer $API_KEY" -d '{"code": "0000"}'
