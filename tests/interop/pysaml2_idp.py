#!/usr/bin/env python3
"""A SAML 2.0 identity provider on loopback, built on pysaml2, for the interop tests.

Every SAML decision is pysaml2's and xmlsec1's: they read our messages, check our signatures and
write the answers. This file adds what an IdP product adds around such a library: HTTP, a login
page, the session of a browser, and a journal that a test can read afterwards.

    /metadata   GET         the IdP's metadata
    /sso        GET, POST   AuthnRequest by Redirect or POST; 400 where the signature does not hold
    /login      POST        the login page's form: `user`, and `request` while a sign-in is waiting
    /slo        GET, POST   LogoutRequest by Redirect or POST
    /journal    GET         JSON: every message received and issued, and the sessions that are live

Prints `ready URL` when it listens. Everything it makes lives in a temporary folder and goes with it.
"""

import argparse
import dataclasses
import datetime
import hashlib
import html
import http.cookies
import http.server
import json
import logging
import pathlib
import secrets
import signal
import sys
import tempfile
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from saml2 import (
    BINDING_HTTP_POST,
    BINDING_HTTP_REDIRECT,
    class_name,
    extension_elements_to_elements,
    saml,
    samlp,
)
from saml2.authn_context import PASSWORDPROTECTEDTRANSPORT
from saml2.config import IdPConfig
from saml2.metadata import create_metadata_string
from saml2.request import AuthnRequest, LogoutRequest
from saml2.s_utils import error_status_factory, success_status_factory
from saml2.server import Server
from saml2.sigver import (
    get_pem_wrapped_unwrapped,
    pre_encrypt_assertion,
    pre_encryption_part,
    pre_signature_part,
)
from saml2.xmldsig import DIGEST_SHA256, SIG_RSA_SHA256

NAME_ID_FORMATS = {
    "persistent": saml.NAMEID_FORMAT_PERSISTENT,
    "email": saml.NAMEID_FORMAT_EMAILADDRESS,
    "unspecified": saml.NAMEID_FORMAT_UNSPECIFIED,
    "transient": saml.NAMEID_FORMAT_TRANSIENT,
}
BINDINGS = {"redirect": BINDING_HTTP_REDIRECT, "post": BINDING_HTTP_POST}
# Name, and xmlsec1's name of the key that it takes. pysaml2's own choice is the last one.
ENCRYPTIONS = {
    "aes128-gcm": ("http://www.w3.org/2009/xmlenc11#aes128-gcm", "aes-128"),
    "aes256-gcm": ("http://www.w3.org/2009/xmlenc11#aes256-gcm", "aes-256"),
    "aes256-cbc": ("http://www.w3.org/2001/04/xmlenc#aes256-cbc", "aes-256"),
    "tripledes-cbc": ("http://www.w3.org/2001/04/xmlenc#tripledes-cbc", "des-192"),
}
# Given at every signature: where it is not, pysaml2 signs with SHA-1.
ALGORITHMS = {"sign_alg": SIG_RSA_SHA256, "digest_alg": DIGEST_SHA256}
BINDING_NAMES = {uri: name for name, uri in BINDINGS.items()}


class Refused(Exception):
    """A request that this IdP answers with 400: nobody may act on it."""


@dataclasses.dataclass
class Session:
    """One browser signed in here, and what was asserted about it to each service provider."""

    user: str
    authn_instant: int
    name_ids: dict = dataclasses.field(default_factory=dict)  # SP entity ID -> NameID
    session_indexes: dict = dataclasses.field(default_factory=dict)  # SP entity ID -> [SessionIndex]


@dataclasses.dataclass
class Page:
    status: int
    body: str = ""
    content_type: str = "text/html; charset=utf-8"
    headers: list = dataclasses.field(default_factory=list)


class IdentityProvider:
    def __init__(self, options, folder):
        self.options = options
        self.base = options.base_url
        self.entity_id = f"{self.base}/metadata"
        self.folder = folder
        slo_names = [options.slo_binding] if options.slo_binding else list(BINDINGS)
        self.slo_bindings = [] if options.no_slo else [BINDINGS[name] for name in slo_names]
        self.sp_metadata_read_at = None
        self.server = None
        self.sessions = {}  # cookie value -> Session
        self.waiting = {}  # id of a waiting sign-in -> (AuthnRequest message, RelayState)
        self.journal = []
        write_key_and_certificate(folder)

    # --- pysaml2 ---

    def config(self, sp_metadata=None):
        sso, slo = f"{self.base}/sso", f"{self.base}/slo"
        endpoints = {
            "single_sign_on_service": [(sso, BINDING_HTTP_REDIRECT), (sso, BINDING_HTTP_POST)],
        }
        if self.slo_bindings:
            endpoints["single_logout_service"] = [(slo, binding) for binding in self.slo_bindings]
        settings = {
            "entityid": self.entity_id,
            "xmlsec_binary": self.options.xmlsec1,
            "key_file": str(self.folder / "key.pem"),
            "cert_file": str(self.folder / "certificate.pem"),
            # What is encrypted for this IdP is decrypted with the same key.
            "encryption_keypairs": [
                {
                    "key_file": str(self.folder / "key.pem"),
                    "cert_file": str(self.folder / "certificate.pem"),
                }
            ],
            "service": {
                "idp": {
                    "endpoints": endpoints,
                    # pysaml2 takes this switch for LogoutRequests too.
                    "want_authn_requests_signed": True,
                    "name_id_format": list(NAME_ID_FORMATS.values()),
                    "policy": {
                        "default": {
                            "lifetime": {"minutes": 5},
                            "attribute_restrictions": None,
                            "name_form": saml.NAME_FORMAT_URI,
                        }
                    },
                }
            },
        }
        if sp_metadata is not None:
            settings["metadata"] = {"local": [str(sp_metadata)]}
        return IdPConfig().load(settings)

    def metadata(self):
        return create_metadata_string(None, config=self.config()).decode("utf-8")

    def pysaml2(self):
        """The pysaml2 server. The SP's metadata may appear, or change, while this IdP runs: the SP
        needs this IdP's metadata to start, and this IdP needs the SP's."""
        path = self.options.sp_metadata
        try:
            changed_at = path.stat().st_mtime_ns
        except FileNotFoundError:
            raise Refused(f"no service provider is known yet: {path} does not exist") from None
        if changed_at != self.sp_metadata_read_at:
            self.server = Server(config=self.config(path))
            self.sp_metadata_read_at = changed_at
        return self.server

    def read(self, request_class, service, message, binding):
        """Has pysaml2 read a request and check its signature: by Redirect over the query, by POST
        inside the XML. `service` names the endpoint that it must be addressed to."""
        server = self.pysaml2()
        # The public parse_* functions of pysaml2 each fix the endpoint; a LogoutRequest at the
        # login URL needs another one.
        return server._parse_request(  # noqa: SLF001
            message["SAMLRequest"],
            request_class,
            service,
            binding,
            relay_state=message.get("RelayState"),
            sigalg=message.get("SigAlg"),
            signature=message.get("Signature"),
        ).message

    # --- sign-in ---

    def sso(self, message, binding, cookie):
        if "SAMLRequest" not in message:
            raise Refused("no SAMLRequest")
        if message_kind(self.pysaml2(), message["SAMLRequest"], binding) == "LogoutRequest":
            # The login URL is all that an IdP without single logout has: it shows its login page.
            self.receive_logout_request(message, binding, "single_sign_on_service")
            return self.login_page()

        entry = self.note("AuthnRequest", binding, message)
        request = self.checked(
            entry, lambda: self.read(AuthnRequest, "single_sign_on_service", message, binding)
        )
        relay_state = message.get("RelayState", "")
        force = request.force_authn in ("true", "1")
        passive = request.is_passive in ("true", "1")
        entry.update(id=request.id, force_authn=force, is_passive=passive)

        session = self.sessions.get(cookie)
        if session is not None and not force:
            return self.answer(request, relay_state, session)
        if passive:
            return self.answer_no_passive(request, relay_state)
        waiting = secrets.token_urlsafe(16)
        self.waiting[waiting] = (request, relay_state)
        return self.login_page(waiting)

    def login_page(self, waiting=None):
        field = f'<input type="hidden" name="request" value="{waiting}">' if waiting else ""
        return Page(
            200,
            f"""<!doctype html><title>Sign in</title><h1>Sign in to the test IdP</h1>
<form id="login" method="post" action="{html.escape(self.base)}/login">{field}
<label>User name <input name="user" required autofocus></label> <button>Sign in</button></form>""",
        )

    def login(self, form, cookie):
        user = form.get("user", "").strip()
        if not user:
            raise Refused("no user name")
        request, relay_state = self.waiting.pop(form.get("request"), (None, ""))
        session = self.sessions.get(cookie)
        if session is None or session.user != user:
            self.sessions.pop(cookie, None)
            cookie = secrets.token_urlsafe(24)
            session = self.sessions[cookie] = Session(user, int(time.time()))
        session.authn_instant = int(time.time())
        page = (
            Page(200, "<!doctype html><title>Signed in</title><p>You are signed in.")
            if request is None
            else self.answer(request, relay_state, session)
        )
        page.headers.append(("Set-Cookie", self.session_cookie(cookie)))
        return page

    def session_cookie(self, value):
        # An IdP must see its session on a cross-site POST (an AuthnRequest by POST), as products do.
        cross_site = "; Secure; SameSite=None" if self.base.startswith("https:") else ""
        return f"idp_session={value}; Path=/; HttpOnly{cross_site}"

    def answer(self, request, relay_state, session):
        server = self.pysaml2()
        args = server.response_args(request, [BINDING_HTTP_POST])
        sp = args["sp_entity_id"]
        name_id = session.name_ids.setdefault(sp, self.name_id(session.user, request, sp))
        given_name, _, surname = session.user.partition("@")[0].partition(".")
        response = server.create_authn_response(
            identity={
                "mail": email_of(session.user),
                "givenName": given_name.capitalize(),
                "sn": (surname or "Tester").capitalize(),
            },
            name_id=name_id,
            userid=session.user,
            authn={
                "class_ref": PASSWORDPROTECTEDTRANSPORT,
                "authn_instant": session.authn_instant,
            },
            sign_response=False,
            sign_assertion=False,
            **{key: args[key] for key in ("in_response_to", "destination", "sp_entity_id")},
        )
        statement = response.assertion.authn_statement[0]
        if self.options.no_session_index:
            statement.session_index = None
        else:
            session.session_indexes.setdefault(sp, []).append(statement.session_index)
        self.note(
            "Response",
            BINDING_HTTP_POST,
            {"RelayState": relay_state},
            direction="issued",
            id=response.id,
            in_response_to=response.in_response_to,
            name_id=name_id_json(name_id),
            session_indexes=[statement.session_index] if statement.session_index else [],
            status="success",
        )
        return as_page(
            server.apply_binding(
                BINDING_HTTP_POST,
                self.signed(server, response, sp),
                args["destination"],
                relay_state,
                response=True,
            )
        )

    def signed(self, server, response, sp):
        """The Response as text, with the assertion, the response or both signed."""
        inner = []
        if self.options.sign in ("assertion", "both"):
            assertion = response.assertion
            assertion.signature = pre_signature_part(
                assertion.id,
                server.sec.my_cert,
                2,
                **ALGORITHMS,
            )
            inner.append((class_name(assertion), assertion.id))
        if self.options.encrypt:
            return self.encrypted(server, response, inner, sp)
        if self.options.sign == "assertion":
            return server.sec.sign_statement(str(response), inner[0][0], node_id=inner[0][1])
        return str(server.sign(response, to_sign=inner, **ALGORITHMS))

    def encrypted(self, server, response, inner, sp):
        """The Response as text, with the assertion signed, then encrypted, and the response signed
        around that, in pysaml2's own steps (`Entity._response`) and with another algorithm."""
        tag = response.assertion._to_element_tree().tag
        response = pre_encrypt_assertion(response)
        if self.options.self_contained:
            write = response.get_xml_string_with_self_contained_assertion_within_encrypted_assertion
            text = write(tag)
        else:
            text = str(response)
        for name, node_id in inner:
            text = server.sec.sign_statement(text, name, node_id=node_id)
        (_, found), *_ = server.metadata.certs(sp, "any", "encryption")
        certificate = self.folder / "recipient.pem"
        certificate.write_text(get_pem_wrapped_unwrapped(found)[0])
        algorithm, key = ENCRYPTIONS[self.options.encrypt]
        template = pre_encryption_part(msg_enc=algorithm)
        text = server.sec.crypto.encrypt_assertion(text, str(certificate), template, key)
        if self.options.sign == "assertion":
            return text
        return str(server.sign(samlp.response_from_string(text), **ALGORITHMS))

    def answer_no_passive(self, request, relay_state):
        server = self.pysaml2()
        args = server.response_args(request, [BINDING_HTTP_POST])
        response = server.create_error_response(
            args["in_response_to"],
            args["destination"],
            (samlp.STATUS_NO_PASSIVE, "nobody is signed in"),
            sign=True,
            **ALGORITHMS,
        )
        self.note(
            "Response", BINDING_HTTP_POST, {}, direction="issued", status=samlp.STATUS_NO_PASSIVE
        )
        return as_page(
            server.apply_binding(
                BINDING_HTTP_POST, str(response), args["destination"], relay_state, response=True
            )
        )

    def name_id(self, user, request, sp):
        wanted = NAME_ID_FORMATS[self.options.name_id_format]
        policy = request.name_id_policy
        if policy is not None and policy.format not in (None, saml.NAMEID_FORMAT_UNSPECIFIED):
            wanted = policy.format
        if wanted == saml.NAMEID_FORMAT_EMAILADDRESS:
            value = email_of(user)
        elif wanted == saml.NAMEID_FORMAT_TRANSIENT:
            value = secrets.token_hex(16)
        elif wanted == saml.NAMEID_FORMAT_PERSISTENT:
            value = hashlib.sha256(f"{sp}!{user}".encode()).hexdigest()
        else:
            value = user
        return saml.NameID(
            text=value, format=wanted, name_qualifier=self.entity_id, sp_name_qualifier=sp
        )

    # --- logout ---

    def slo(self, message, binding):
        if binding not in self.slo_bindings:
            raise Refused("single logout is not offered by this binding")
        if "SAMLRequest" not in message:
            raise Refused("no SAMLRequest")
        request, entry = self.receive_logout_request(message, binding, "single_logout_service")
        server = self.pysaml2()
        ended = self.end_sessions(request)
        status = success_status_factory() if ended else unknown_principal()
        entry.update(matched=bool(ended), ended=ended)

        by_post = binding == BINDING_HTTP_POST
        response = server.create_logout_response(
            request, [binding], status=status, sign=by_post, **ALGORITHMS
        )
        _, destination = server.pick_binding(
            "single_logout_service", [binding], descr_type="spsso", request=request
        )
        self.note(
            "LogoutResponse",
            binding,
            message,
            direction="issued",
            in_response_to=request.id,
            status="success" if ended else samlp.STATUS_UNKNOWN_PRINCIPAL,
        )
        return as_page(
            server.apply_binding(
                binding,
                str(response),
                destination,
                message.get("RelayState", ""),
                response=True,
                sign=not by_post,
                sigalg=SIG_RSA_SHA256,
            )
        )

    def receive_logout_request(self, message, binding, service):
        entry = self.note("LogoutRequest", binding, message)
        request = self.checked(entry, lambda: self.read(LogoutRequest, service, message, binding))
        is_encrypted = request.encrypted_id is not None
        if is_encrypted:
            request.name_id = self.decrypted_name_id(request)
        entry.update(
            id=request.id,
            name_id_encrypted=is_encrypted,
            issuer=request.issuer.text,
            endpoint=service,
            destination=request.destination,
            not_on_or_after=request.not_on_or_after,
            name_id=name_id_json(request.name_id),
            session_indexes=[index.text for index in request.session_index],
        )
        return request, entry

    def decrypted_name_id(self, request):
        """The NameID in an EncryptedID, which pysaml2 leaves to the caller; xmlsec1 decrypts it."""
        if request.name_id is not None:
            raise Refused("a NameID beside an EncryptedID")
        plain = samlp.logout_request_from_string(self.pysaml2().sec.decrypt(str(request)))
        (name_id,) = extension_elements_to_elements(plain.encrypted_id.extension_elements, [saml])
        return name_id

    def end_sessions(self, request):
        """Ends what the request names, compared strictly: the NameID with every attribute as it was
        issued, and each SessionIndex one that was issued (SAML Core 3.7.3.1: no SessionIndex means
        every session of the principal). Returns the users signed out."""
        sp = request.issuer.text
        named = name_id_json(request.name_id)
        indexes = {index.text for index in request.session_index}
        ended = []
        for cookie, session in list(self.sessions.items()):
            issued = session.name_ids.get(sp)
            if issued is None or name_id_json(issued) != named:
                continue
            if indexes and not indexes & set(session.session_indexes.get(sp, [])):
                continue
            del self.sessions[cookie]
            ended.append(session.user)
        return ended

    # --- journal ---

    def note(self, kind, binding, message, direction="received", **details):
        entry = {
            "kind": kind,
            "direction": direction,
            "binding": BINDING_NAMES[binding],
            "relay_state": message.get("RelayState"),
            "sig_alg": message.get("SigAlg"),
            **details,
        }
        self.journal.append(entry)
        return entry

    @staticmethod
    def checked(entry, read):
        """Runs pysaml2's reading of a message and keeps what it said of the signature."""
        try:
            request = read()
        except Refused:
            raise
        except Exception as error:  # pysaml2 raises many kinds; each means: not believed
            entry.update(signature_valid=False, error=f"{type(error).__name__}: {error}")
            raise Refused(f"{entry['kind']} refused: {error}") from error
        entry["signature_valid"] = True
        return request

    def journal_json(self):
        live = [
            {
                "user": session.user,
                "authn_instant": session.authn_instant,
                "name_ids": [name_id_json(name_id) for name_id in session.name_ids.values()],
                "session_indexes": sum(session.session_indexes.values(), []),
            }
            for session in self.sessions.values()
        ]
        return json.dumps({"entries": self.journal, "sessions": live}, indent=1)


def message_kind(server, encoded, binding):
    """The local name of a message's root element, before anything in it is believed."""
    try:
        text = server.unravel(encoded, binding, AuthnRequest.msgtype)
        for name, read in (
            ("AuthnRequest", samlp.authn_request_from_string),
            ("LogoutRequest", samlp.logout_request_from_string),
        ):
            if read(text) is not None:
                return name
    except Exception as error:
        raise Refused(f"not a SAML message: {error}") from error
    raise Refused("neither an AuthnRequest nor a LogoutRequest")


def name_id_json(name_id):
    return {
        "value": name_id.text,
        "format": name_id.format,
        "name_qualifier": name_id.name_qualifier,
        "sp_name_qualifier": name_id.sp_name_qualifier,
    }


def unknown_principal():
    return error_status_factory((samlp.STATUS_UNKNOWN_PRINCIPAL, "no such session"))


def email_of(user):
    return user if "@" in user else f"{user}@example.org"


def as_page(info):
    body = info["data"] if isinstance(info["data"], str) else ""
    headers = [pair for pair in info["headers"] if pair[0].lower() != "content-type"]
    return Page(info["status"], body, headers=headers)


def write_key_and_certificate(folder):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pysaml2 test IdP")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    idp = None
    turn = threading.Lock()  # pysaml2 is not made for several threads

    def do_GET(self):  # noqa: N802
        path, _, query = self.path.partition("?")
        self.handle_request("GET", path, self.single(query))

    def do_POST(self):  # noqa: N802
        length = int(self.headers.get("Content-Length", 0))
        self.handle_request("POST", self.path, self.single(self.rfile.read(length).decode("utf-8")))

    @staticmethod
    def single(encoded):
        return dict(urllib.parse.parse_qsl(encoded, keep_blank_values=True))

    def handle_request(self, method, path, fields):
        try:
            with self.turn:
                page = self.route(method, path, fields)
        except Refused as refusal:
            page = Page(400, str(refusal), "text/plain; charset=utf-8")
        except Exception as error:  # a fault of this IdP must be seen by the test, not hidden
            logging.exception("%s %s", method, path)
            page = Page(500, f"{type(error).__name__}: {error}", "text/plain; charset=utf-8")
        body = page.body.encode("utf-8")
        self.send_response(page.status)
        for name, value in page.headers:
            self.send_header(name, value)
        self.send_header("Content-Type", page.content_type)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def route(self, method, path, fields):
        idp = self.idp
        binding = BINDING_HTTP_POST if method == "POST" else BINDING_HTTP_REDIRECT
        match (method, path):
            case ("GET", "/metadata"):
                return Page(200, idp.metadata(), "application/samlmetadata+xml")
            case ("GET", "/journal"):
                return Page(200, idp.journal_json(), "application/json")
            case ("GET" | "POST", "/sso"):
                return idp.sso(fields, binding, self.cookie())
            case ("POST", "/login"):
                return idp.login(fields, self.cookie())
            case ("GET" | "POST", "/slo"):
                return idp.slo(fields, binding)
        return Page(404, "no such page", "text/plain; charset=utf-8")

    def cookie(self):
        morsel = http.cookies.SimpleCookie(self.headers.get("Cookie", "")).get("idp_session")
        return morsel.value if morsel else None

    def log_message(self, format, *args):  # noqa: A002
        logging.info("%s %s", self.address_string(), format % args)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--base-url", help="public address, when it is not http://127.0.0.1:PORT")
    parser.add_argument("--sp-metadata", type=pathlib.Path, required=True)
    parser.add_argument("--no-slo", action="store_true", help="no single logout in the metadata")
    parser.add_argument("--slo-binding", choices=BINDINGS, help="only this one; otherwise both")
    parser.add_argument("--no-session-index", action="store_true")
    parser.add_argument("--sign", choices=["response", "assertion", "both"], default="assertion")
    parser.add_argument("--encrypt", choices=ENCRYPTIONS, help="the assertion, by this algorithm")
    parser.add_argument(
        "--self-contained",
        action="store_true",
        help="the encrypted assertion declares its own namespaces",
    )
    parser.add_argument("--name-id-format", choices=NAME_ID_FORMATS, default="persistent")
    parser.add_argument("--xmlsec1", default="/usr/bin/xmlsec1")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO if options.verbose else logging.CRITICAL)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    with tempfile.TemporaryDirectory(prefix="pysaml2-idp-") as folder:
        listener = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
        listener.daemon_threads = True
        options.base_url = options.base_url or f"http://127.0.0.1:{listener.server_port}"
        Handler.idp = IdentityProvider(options, pathlib.Path(folder))
        print(f"ready http://127.0.0.1:{listener.server_port}", flush=True)
        try:
            listener.serve_forever()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
