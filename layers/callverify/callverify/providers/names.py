"""The list of names: a folder here, a folder in vendors/, and a member of the secret `provider-credentials` each.

In the order in which they are asked where the operator names no other: free routes first, then paid ones.
"""

NAMES = ("telefon_ip", "sms_ru", "smsc", "ucaller", "new_tel", "twilio")
