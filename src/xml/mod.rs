//! XML as SAML needs it: one strict parse, exclusive canonicalisation on that very tree, and a
//! signature profile that allows one shape only. Nothing here fetches, waits or asks for the time.

pub mod algorithm;
pub mod c14n;
mod chars;
pub mod decrypt;
mod document;
pub mod encrypt;
mod encrypted_data;
pub mod encryption_algorithm;
mod escape;
mod fault;
mod limits;
mod parse;
mod public_key;
pub mod sign;
mod signature;
pub mod stream;
mod tag;
#[cfg(test)]
mod test_keys;
pub mod verify;
pub mod write;

pub use document::{Document, Element, ShapeError};
pub use fault::{ParseError, ParseFault};
pub use limits::Limits;
pub use parse::parse;

/// Namespace names of the vocabularies that are read or written.
pub mod ns {
    pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
    pub const EXC_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
    pub const MD: &str = "urn:oasis:names:tc:SAML:2.0:metadata";
    pub const MDUI: &str = "urn:oasis:names:tc:SAML:metadata:ui";
    pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
    pub const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
    pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
    pub const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
    pub const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";
    /// Bound to the prefix `xml` in every document (Namespaces in XML 3).
    pub const XML: &str = "http://www.w3.org/XML/1998/namespace";
    /// Bound to the prefix `xmlns`, which nobody may declare (Namespaces in XML 3).
    pub const XMLNS: &str = "http://www.w3.org/2000/xmlns/";
    pub const XS: &str = "http://www.w3.org/2001/XMLSchema";
    pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
}
