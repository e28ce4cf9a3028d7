#!/usr/bin/env python3
"""signxml, with lxml and cryptography below it, as a judge of our signatures. One JSON object per
line comes in,

    {"xml": "<a>…</a>", "certificate": "-----BEGIN CERTIFICATE-----…"}

and one per line goes out: {"signed": "the ID of the element that was signed"}, or {"error": "…"}.
The first signature in the document is judged.
"""

import json
import sys

from cryptography.exceptions import InvalidSignature as CryptographyError
from lxml import etree
from signxml import XMLVerifier
from signxml.exceptions import SignXMLException


def verify(job):
    root = etree.fromstring(job["xml"].encode("utf-8"))
    result = XMLVerifier().verify(root, x509_cert=job["certificate"], id_attribute="ID")
    return result.signed_xml.get("ID")


for line in sys.stdin:
    try:
        answer = {"signed": verify(json.loads(line))}
    except (SignXMLException, CryptographyError, etree.LxmlError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer))
