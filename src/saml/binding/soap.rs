//! SOAP: the message is the body of a SOAP 1.1 envelope, signed inside (SAML Bindings 3.2).

use crate::xml::{Document, Element, ns};

/// An envelope does not hold one SAML message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SoapError {
    #[error("the document is no SOAP 1.1 Envelope")]
    NotAnEnvelope,
    #[error("the Envelope holds something else than an optional Header and one Body")]
    Structure,
    /// SOAP 1.1 4.2.3: such a header may not be passed over.
    #[error("a header entry must be understood, and none is")]
    MustUnderstand,
    #[error("the Body does not hold exactly one element")]
    Body,
}

impl SoapError {
    pub fn code(self) -> &'static str {
        match self {
            Self::NotAnEnvelope => "soap.not_an_envelope",
            Self::Structure => "soap.structure",
            Self::MustUnderstand => "soap.must_understand",
            Self::Body => "soap.body",
        }
    }
}

/// The message in an envelope. Header entries are passed over (SAML Bindings 3.2.2.1).
pub fn open<'d>(document: &'d Document<'_>) -> Result<Element<'d>, SoapError> {
    let envelope = document.root();
    if !envelope.is(ns::SOAP, "Envelope") {
        return Err(SoapError::NotAnEnvelope);
    }
    let parts: Vec<Element<'d>> = envelope.elements().collect();
    let (header, body) = match parts.as_slice() {
        [body] => (None, *body),
        [header, body] if header.is(ns::SOAP, "Header") => (Some(*header), *body),
        _ => return Err(SoapError::Structure),
    };
    if !body.is(ns::SOAP, "Body") {
        return Err(SoapError::Structure);
    }
    let demands = |entry: Element<'_>| {
        entry.attribute_ns(ns::SOAP, "mustUnderstand").is_some_and(|value| value != "0")
    };
    if header.is_some_and(|header| header.elements().any(demands)) {
        return Err(SoapError::MustUnderstand);
    }
    let mut messages = body.elements();
    match (messages.next(), messages.next()) {
        (Some(message), None) => Ok(message),
        _ => Err(SoapError::Body),
    }
}

/// The `SOAPAction` of a SAML request (SAML Bindings 3.2.3.1), with its quotation marks.
pub const ACTION: &str = "\"http://www.oasis-open.org/committees/security\"";

/// Whether the receiver could not process the message at all (SAML Bindings 3.2.2.2).
pub fn is_fault(message: Element<'_>) -> bool {
    message.is(ns::SOAP, "Fault")
}

/// Puts a message, signed already and without an XML declaration, into an envelope.
pub fn envelope(message: &str) -> String {
    format!(
        "<soap:Envelope xmlns:soap=\"{}\"><soap:Body>{message}</soap:Body></soap:Envelope>",
        ns::SOAP
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::{Limits, parse};

    fn opened(xml: &str) -> Result<String, SoapError> {
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        open(&document).map(|message| message.local_name().to_owned())
    }

    fn with(inner: &str) -> Result<String, SoapError> {
        opened(&format!("<s:Envelope xmlns:s='{}'>{inner}</s:Envelope>", ns::SOAP))
    }

    #[test]
    fn what_is_put_in_is_taken_out() {
        assert_eq!(opened(&envelope("<a/>")), Ok("a".into()));
        assert_eq!(with("<s:Header><x/></s:Header><s:Body>\n<a/>\n</s:Body>"), Ok("a".into()));
        let not_demanding = "<s:Header><x s:mustUnderstand='0'/></s:Header><s:Body><a/></s:Body>";
        assert_eq!(with(not_demanding), Ok("a".into()));
    }

    #[test]
    fn what_is_no_envelope_with_one_message_is_refused() {
        let demanding = "<s:Header><x s:mustUnderstand='1'/></s:Header><s:Body><a/></s:Body>";
        for (inner, expected) in [
            ("", SoapError::Structure),
            ("<s:Body/>", SoapError::Body),
            ("<s:Body><a/><b/></s:Body>", SoapError::Body),
            ("<s:Body><a/></s:Body><s:Body><a/></s:Body>", SoapError::Structure),
            ("<s:Body><a/></s:Body><s:Header/>", SoapError::Structure),
            ("<Body xmlns='urn:x'><a/></Body>", SoapError::Structure),
            (demanding, SoapError::MustUnderstand),
        ] {
            assert_eq!(with(inner), Err(expected), "{inner}");
        }
        assert_eq!(opened("<Envelope><Body><a/></Body></Envelope>"), Err(SoapError::NotAnEnvelope));
        let soap_1_2 = "<e:Envelope xmlns:e='http://www.w3.org/2003/05/soap-envelope'/>";
        assert_eq!(opened(soap_1_2), Err(SoapError::NotAnEnvelope));
    }
}
