//! What somebody makes of a message that an IdP has just signed. Each attack is aimed at one signed
//! element, whichever it is: the Response, the Assertion in it, or a logout message.

pub mod document;
pub mod signature;
pub mod transform;
pub mod wrapping;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sloop::saml::message::verify_enveloped;
use sloop::saml::{MessageError, Proof};
use sloop::xml::c14n;
use sloop::xml::sign::SigningKey;
use sloop::xml::verify::TrustedKeys;
use sloop::xml::{Element, Limits, parse};

use super::careless;
use super::mutation::Xml;
use super::sink::Sink;

/// Who the attacker wants to be. The IdP only ever signs for somebody else.
pub const VICTIM: &str = "eve";
const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";

/// A message that was just signed, and the element whose signature is attacked.
pub struct Target<'w> {
    pub message: Xml,
    /// `Response`, `Assertion`, `LogoutResponse` or `LogoutRequest`.
    pub signed: &'static str,
    /// What the IdP signed with.
    pub key: &'w SigningKey,
    pub sink: &'w Sink,
}

/// A message that must not count, and the code of the reason.
#[derive(Clone, Debug)]
pub struct Attack {
    pub what: String,
    pub message: Vec<u8>,
    pub code: &'static str,
}

/// Attacks of one kind on whatever is aimed at.
pub type Family = fn(&Target<'_>) -> Vec<Attack>;

impl Attack {
    pub fn new(what: impl Into<String>, message: impl AsRef<[u8]>, code: &'static str) -> Self {
        Self { what: what.into(), message: message.as_ref().to_vec(), code }
    }
}

impl Target<'_> {
    /// The path of something in the signed element.
    pub fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.signed)
    }

    /// The signed element as it was signed.
    pub fn original(&self) -> Xml {
        self.message.outer(self.signed)
    }

    pub fn signature(&self) -> Xml {
        self.message.outer(&self.at("Signature"))
    }

    pub fn id(&self) -> &str {
        self.message.attribute(self.signed, "ID")
    }

    /// The original without its signature: what was digested.
    pub fn bare(&self) -> Xml {
        self.original().without(&self.at("Signature"))
    }

    /// The element as the attacker wants it, unsigned, with the IDs of the original.
    pub fn forged(&self) -> Xml {
        spoiled(&self.original().without_any("Signature"))
    }

    /// The same with IDs of its own.
    pub fn forged_anew(&self) -> Xml {
        let forged = self.forged().with_attribute(self.signed, "ID", "_forged");
        match self.signed == "Response" && forged.has("Assertion") {
            true => forged.with_attribute("Assertion", "ID", "_forged_assertion"),
            false => forged,
        }
    }

    /// `element` with a signature where it belongs.
    pub fn holding(&self, element: &Xml, signature: &Xml) -> Xml {
        element.after(&self.at("Issuer"), signature)
    }

    /// The whole message with another element, or several, in place of the signed one.
    pub fn with(&self, element: impl AsRef<str>) -> Xml {
        self.message.replaced(self.signed, element)
    }

    /// The whole message, in which the signed element says something else and its signature stays.
    pub fn spoiled(&self) -> Xml {
        self.with(self.holding(&self.forged(), &self.signature()))
    }

    /// The signature with a SignedInfo that fits the forged element, signed by nobody.
    pub fn forged_info(&self) -> Xml {
        let digest = STANDARD.encode(self.forged_digest());
        self.signature().outer("SignedInfo").with("DigestValue", digest)
    }

    /// What the reference would have to say for the forged element.
    pub fn forged_digest(&self) -> Vec<u8> {
        let message = self.with(self.forged());
        let document = careless::read(message.as_str());
        let forged = careless::named(&document, self.signed)[0];
        careless::digest_of(forged)
    }

    /// The message, in which the IdP signed whatever its SignedInfo says by now: what is refused
    /// then is not refused for a broken signature.
    pub fn signed_again(&self, message: &Xml) -> Xml {
        let document = careless::read(message.as_str());
        let info = careless::named(&document, "SignedInfo").into_iter().find(|info| {
            let holder = info.parent().and_then(|signature| signature.parent());
            holder.is_some_and(|holder| holder.local_name() == self.signed)
        });
        let info = info.expect("a SignedInfo in the signed element");
        let method = info.elements().find(|it| it.local_name() == "CanonicalizationMethod");
        let list = method.and_then(|method| method.elements().next());
        let prefixes = list.and_then(|it| it.attribute("PrefixList")).unwrap_or_default();
        let prefixes: Vec<&str> = prefixes.split_whitespace().collect();
        let octets = c14n::exclusive(info, None, &prefixes).expect("a small document");
        let value = STANDARD.encode(self.key.sign_octets(&octets).unwrap());
        message.with(&self.at("Signature/SignatureValue"), value)
    }

    /// One of the codes, by what is attacked.
    pub fn code(
        &self,
        response: &'static str,
        assertion: &'static str,
        logout_response: &'static str,
    ) -> &'static str {
        match self.signed {
            "Response" => response,
            "Assertion" => assertion,
            _ => logout_response,
        }
    }

    /// An attack for which a careless service provider falls: it sees something that holds, and
    /// reads what the attacker wants.
    pub fn deceives(&self, what: &str, message: &Xml, code: &'static str) -> Attack {
        let keys = TrustedKeys::new(vec![self.key.public_key().clone()]).unwrap();
        assert!(
            careless::is_content(message.as_str(), &keys),
            "{what} deceives nobody: {message:?}"
        );
        self.misleads(what, message, code)
    }

    /// An attack after which a careless reader reads what the attacker wants, whoever signed it.
    pub fn misleads(&self, what: &str, message: &Xml, code: &'static str) -> Attack {
        let (read, wanted) = match self.signed {
            "LogoutResponse" => (careless::statuses(message.as_str()), SUCCESS),
            _ => (careless::names(message.as_str()), VICTIM),
        };
        let found = read.iter().any(|value| value == wanted);
        assert!(found, "{what} misleads nobody, they read {read:?}");
        Attack::new(format!("{} of the {}", what, self.signed), message, code)
    }
}

/// The code for which a logout message counts for nothing.
pub fn reason(
    message: &[u8],
    key: &SigningKey,
    read: impl Fn(Element<'_>) -> Result<(), MessageError>,
) -> &'static str {
    let document = match parse(message, &Limits::MESSAGE) {
        Ok(document) => document,
        Err(error) => return error.code(),
    };
    let keys = TrustedKeys::new(vec![key.public_key().clone()]).unwrap();
    match verify_enveloped(document.root(), &keys) {
        Err(error) => error.code(),
        Ok(Proof::Unsigned) => "unsigned",
        Ok(Proof::Signed) => match read(document.root()) {
            Err(error) => error.code(),
            Ok(()) => "none",
        },
    }
}

/// What the attacker wants to be believed: another person, or an IdP that has ended its session.
pub fn spoiled(element: &Xml) -> Xml {
    let named = match element.has("NameID") {
        true => element.with("NameID", VICTIM),
        false => return element.with_attribute("Status/StatusCode", "Value", SUCCESS),
    };
    match named.has("AttributeValue") {
        true => named.with("AttributeValue", format!("{VICTIM}@example.org")),
        false => named,
    }
}

impl AsRef<[u8]> for Xml {
    fn as_ref(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}
