"""The sample events in events/: what each is answered on a fresh stack, by status and code."""

JOURNEYS = {
    "start_telefon_ip": (201, None),
    "start_sms_ru": (201, None),
    "start_smsc": (201, None),
    "start_ucaller": (201, None),
    "start_new_tel": (201, None),
    "start_twilio": (201, None),
    "status": (404, "not_found"),
    "check_right": (404, "not_found"),
    "check_wrong": (404, "not_found"),
    "repeat": (404, "not_found"),
    "switch": (404, "not_found"),
    "cancel": (404, "not_found"),
    "webhook_telefon_ip": (404, "not_found"),
    "webhook_sms_ru": (404, "not_found"),
    "webhook_smsc": (404, "not_found"),
    "webhook_twilio": (404, "not_found"),
}
