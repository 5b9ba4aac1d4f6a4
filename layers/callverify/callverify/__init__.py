"""callverify: proof that somebody holds a phone number, by a phone call."""

import gc
import os

from callverify.runtime import slim_imports

slim_imports.install()
if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # A start-up makes objects to keep: looking for garbage among them takes a tenth of it. `startup.ready` ends this.
    gc.disable()
