"""A relay by somebody else (aiosmtpd), for the tests of mail.

Usage: aiosmtpd_relay.py starttls|implicit|clear CHAIN KEY USER PASSWORD

Prints the port it listens on, then one JSON object per message. Ends with its standard input.
"""

import json
import logging
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

logging.disable(logging.WARNING)
mode, chain, key, user, password = sys.argv[1:]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        message = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": envelope.content.decode("utf-8"),
            "encrypted": session.ssl is not None or mode == "implicit",
            "authenticated": bool(session.authenticated),
            "hello": session.host_name,
        }
        print(json.dumps(message), flush=True)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (
        user.encode(),
        password.encode(),
    )
    # Not handled: the answer is left to the server.
    return AuthResult(success=good, handled=False)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
settings = {"authenticator": authenticate, "auth_required": True, "decode_data": False}
if mode == "starttls":
    settings |= {"tls_context": context, "require_starttls": True}
elif mode == "implicit":
    settings |= {"ssl_context": context, "auth_require_tls": False}
else:
    settings |= {"auth_require_tls": False}


class Relay(Controller):
    def _trigger_server(self):
        # The controller's own self-test would knock at port 0.
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


relay = Relay(Handler(), hostname="127.0.0.1", port=0, **settings)
relay.start()
print(relay.port, flush=True)
sys.stdin.read()
relay.stop()
