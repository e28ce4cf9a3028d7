"""Validates SAML documents against the OASIS schemas, with the XML Schema library that pysaml2 uses.

    schema.py FILE...

Prints nothing and exits with 0 if every document is valid; otherwise names the first that is not.
"""

import sys
from importlib.resources import files

import saml2.data.schemas
import xmlschema

FOLDER = files(saml2.data.schemas)
LOCATIONS = {
    "http://www.w3.org/XML/1998/namespace": "xml.xsd",
    "http://schemas.xmlsoap.org/soap/envelope/": "envelope.xsd",
    "http://www.w3.org/2001/04/xmlenc#": "xenc-schema.xsd",
    "http://www.w3.org/2009/xmlenc11#": "xenc-schema-11.xsd",
    "http://www.w3.org/2000/09/xmldsig#": "xmldsig-core-schema.xsd",
    "urn:oasis:names:tc:SAML:2.0:assertion": "saml-schema-assertion-2.0.xsd",
    "urn:oasis:names:tc:SAML:2.0:protocol": "saml-schema-protocol-2.0.xsd",
    "urn:oasis:names:tc:SAML:2.0:metadata": "saml-schema-metadata-2.0.xsd",
}


def schema():
    """One schema with every vocabulary; nothing is fetched."""
    locations = {name: str(FOLDER.joinpath(file)) for name, file in LOCATIONS.items()}
    source = locations["urn:oasis:names:tc:SAML:2.0:metadata"]
    loaded = xmlschema.XMLSchema(
        source, locations=locations, base_url=source, allow="sandbox", use_fallback=False
    )
    for namespace in LOCATIONS:
        if namespace not in loaded.maps.namespaces:
            loaded.import_schema(namespace, locations[namespace])
    return loaded


def main(paths):
    loaded = schema()
    for path in paths:
        try:
            loaded.validate(path)
        except xmlschema.XMLSchemaException as error:
            sys.exit(f"{path}: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
