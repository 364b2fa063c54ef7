"""What the channels of these tests keep to themselves."""

import base64

KEY = b"a key of twenty-four byt"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
TOKEN = "123456:a-token-of-a-bot"
