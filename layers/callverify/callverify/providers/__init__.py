"""The providers, one vendor per module."""

from callverify.models import ProviderName
from callverify.providers.base import Provider
from callverify.providers.smsc import Smsc
from callverify.providers.telefon_ip import TelefonIp
from callverify.providers.ucaller import Ucaller

PROVIDERS: dict[ProviderName, type[Provider]] = {
    ProviderName.UCALLER: Ucaller,
    ProviderName.TELEFON_IP: TelefonIp,
    ProviderName.SMSC: Smsc,
}
