#!/usr/bin/env python3
"""libxml2 as a judge of canonical forms. One JSON object per line comes in,

    {"xml": "<a>…</a>", "path": [0, 2], "prefixes": ["p", "#default"]}

and one per line goes out: {"canonical": "…"}, or {"error": "…"} where libxml2 refuses the document.
`path` leads from the root element to the apex by the indexes of child elements.

Whole documents are judged by lxml, with the libxml2 that it brings. It has no way to say what stands
around a subtree, and it drops `#default` from a list: for those, the machine's own libxml2 is called,
as xmlsec1 calls it.
"""

import ctypes
import ctypes.util
import json
import sys

from lxml import etree

EXCLUSIVE = 1  # XML_C14N_EXCLUSIVE_1_0


class XPathObject(ctypes.Structure):
    """The beginning of struct _xmlXPathObject."""

    _fields_ = [("type", ctypes.c_int), ("nodeset", ctypes.c_void_p)]


def library():
    libxml2 = ctypes.CDLL(ctypes.util.find_library("xml2") or "libxml2.so.2")
    pointer = ctypes.c_void_p
    for name, result, arguments in [
        ("xmlReadMemory", pointer, [ctypes.c_char_p, ctypes.c_int, pointer, pointer, ctypes.c_int]),
        ("xmlXPathNewContext", pointer, [pointer]),
        ("xmlXPathEvalExpression", ctypes.POINTER(XPathObject), [ctypes.c_char_p, pointer]),
        (
            "xmlC14NDocDumpMemory",
            ctypes.c_int,
            [pointer, pointer, ctypes.c_int, pointer, ctypes.c_int, pointer],
        ),
        ("xmlXPathFreeObject", None, [pointer]),
        ("xmlXPathFreeContext", None, [pointer]),
        ("xmlFreeDoc", None, [pointer]),
    ]:
        function = getattr(libxml2, name)
        function.restype, function.argtypes = result, arguments
    return libxml2


LIBXML2 = library()


def by_lxml(job):
    parser = etree.XMLParser(resolve_entities=False, no_network=True, strip_cdata=False)
    root = etree.fromstring(job["xml"].encode("utf-8"), parser)
    prefixes = job["prefixes"] or None
    return etree.tostring(
        root, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=prefixes
    )


def by_libxml2(job):
    text = job["xml"].encode("utf-8")
    document = LIBXML2.xmlReadMemory(text, len(text), None, None, 0)
    if not document:
        raise ValueError("libxml2 does not parse it")
    apex = "/*" + "".join(f"/*[{index + 1}]" for index in job["path"])
    below = f"{apex}/descendant-or-self::"
    subtree = f"{below}node() | {below}*/@* | {below}*/namespace::*"
    context = LIBXML2.xmlXPathNewContext(document)
    found = LIBXML2.xmlXPathEvalExpression(subtree.encode("ascii"), context)
    names = [prefix.encode("utf-8") for prefix in job["prefixes"]]
    listed = (ctypes.c_char_p * (len(names) + 1))(*names, None)
    out = ctypes.c_char_p()
    length = LIBXML2.xmlC14NDocDumpMemory(
        document, found.contents.nodeset, EXCLUSIVE, listed, 0, ctypes.byref(out)
    )
    canonical = ctypes.string_at(out, length) if length >= 0 else None
    LIBXML2.xmlXPathFreeObject(found)
    LIBXML2.xmlXPathFreeContext(context)
    LIBXML2.xmlFreeDoc(document)
    if canonical is None:
        raise ValueError("libxml2 has no canonical form for it")
    return canonical


for line in sys.stdin:
    job = json.loads(line)
    judge = by_libxml2 if job["path"] or "#default" in job["prefixes"] else by_lxml
    try:
        answer = {"canonical": judge(job).decode("utf-8")}
    except (ValueError, etree.LxmlError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer))
