"""The push API's authorizer: whose updates this token opens."""

from callverify.runtime import updates

handler = updates.authorizer()

updates.ready()
