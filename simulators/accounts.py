"""The only credentials that the simulated vendors accept. All of them are made up."""

UCALLER_KEY = "fakefakefakefakefakefakefakefake"  # the vendor's secret keys have 32 characters
UCALLER_SERVICE_ID = 103000

TELEFON_IP_TOKEN = "00000000-0000-4000-8000-000000000000"

SMSC_LOGIN = "fake-login"
SMSC_PASSWORD = "fake-password"
SMSC_APIKEY = "fake-apikey"
