"""A front door for Twilio Verify's SDKs: its v2 API in front of our service. docs/from-twilio.md says what differs.

Forms in, resources and errors in Twilio's words out. What costs money or proves anything is in `service.doors`.
"""

from callverify.edge.twilio_verify.facade import Facade, Request

__all__ = ["Facade", "Request"]
