use std::fmt;

use serde::{Deserialize, Serialize};

use super::EntityId;
use crate::xml::write::{WriteError, Writer};
use crate::xml::{Element, ShapeError, ns};

/// `urn:oasis:names:tc:SAML:2.0:nameid-format:transient` (SAML Core 8.3.8).
pub const TRANSIENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient";
/// `urn:oasis:names:tc:SAML:2.0:nameid-format:persistent` (SAML Core 8.3.7).
pub const PERSISTENT: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent";
/// `urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified` (SAML Core 8.3.1).
pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified";
/// `urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress` (SAML Core 8.3.2).
pub const EMAIL_ADDRESS: &str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress";

/// The longest value and the longest attribute that is accepted, in bytes. The standard promises
/// 256 characters for the formats that it defines.
const MAX_BYTES: usize = 4096;

/// The `NameID` element exactly as it was received (SAML Core 2.2.3). An absent attribute is not an
/// empty one, and no character is trimmed: IdPs compare all five parts at logout (SAML Core 3.3.4).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NameId {
    pub value: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_qualifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_name_qualifier: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sp_provided_id: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NameIdError {
    #[error(transparent)]
    Shape(#[from] ShapeError),
    #[error("the NameID is empty or nil")]
    Empty,
    #[error("the NameID is longer than {MAX_BYTES} bytes")]
    TooLong,
}

impl NameIdError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Shape(error) => error.code(),
            Self::Empty => "saml.name_id_empty",
            Self::TooLong => "saml.name_id_too_long",
        }
    }
}

impl NameId {
    /// Reads a `saml:NameID` element.
    ///
    /// # Errors
    /// If it is not a leaf, names nobody or is nil, or is longer than 4096 bytes in any part.
    pub fn read(element: Element<'_>) -> Result<Self, NameIdError> {
        let attribute = |name| element.attribute(name).map(str::to_owned);
        let read = Self {
            value: element.text()?.to_owned(),
            format: attribute("Format"),
            name_qualifier: attribute("NameQualifier"),
            sp_name_qualifier: attribute("SPNameQualifier"),
            sp_provided_id: attribute("SPProvidedID"),
        };
        // XML Schema 1, 3.3.4: what is nil has no value, and a value that is there nevertheless
        // would be read by some and not by others.
        let is_nil =
            matches!(element.attribute_ns(ns::XSI, "nil").map(str::trim), Some("true" | "1"));
        if is_nil || read.value.trim().is_empty() {
            return Err(NameIdError::Empty);
        }
        if read.parts().into_iter().flatten().any(|part| part.len() > MAX_BYTES) {
            return Err(NameIdError::TooLong);
        }
        Ok(read)
    }

    /// Writes the element with exactly the attributes that it has. The prefix `saml` must be
    /// declared around it.
    pub fn write(&self, writer: &mut Writer) {
        self.write_with(&[], writer);
    }

    /// The element alone, which declares its own prefix.
    ///
    /// # Errors
    /// If it holds a character that XML cannot carry.
    pub fn to_xml(&self) -> Result<String, WriteError> {
        let mut writer = Writer::new();
        self.write_with(&[("xmlns:saml", ns::SAML)], &mut writer);
        writer.finish()
    }

    fn write_with(&self, declared: &[(&str, &str)], writer: &mut Writer) {
        let [_, format, name_qualifier, sp_name_qualifier, sp_provided_id] = self.parts();
        let asserted = [
            ("Format", format),
            ("NameQualifier", name_qualifier),
            ("SPNameQualifier", sp_name_qualifier),
            ("SPProvidedID", sp_provided_id),
        ];
        let asserted = asserted.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let attributes: Vec<_> = declared.iter().copied().chain(asserted).collect();
        writer.leaf("saml:NameID", &attributes, &self.value);
    }

    /// One byte string per NameID, for a keyed hash: each part with its presence and length, so
    /// that no two different NameIDs share it.
    pub fn canonical_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in self.parts() {
            match part {
                None => bytes.push(0),
                Some(text) => {
                    bytes.push(1);
                    bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
                    bytes.extend_from_slice(text.as_bytes());
                }
            }
        }
        bytes
    }

    /// Whether both name the same person at an IdP (SAML Core 3.3.4: all parts match). A qualifier
    /// that is absent is the one that the context gives: `idp` for NameQualifier and `sp` for
    /// SPNameQualifier (SAML Core 8.3.7), and an absent Format is the unspecified one (8.3.1). What the
    /// service provider calls the person does not tell people apart.
    pub fn names_same(&self, other: &Self, idp: &EntityId, sp: &EntityId) -> bool {
        let parts = |name: &Self| {
            let or = |part: &Option<String>, default: &str| {
                part.as_deref().unwrap_or(default).to_owned()
            };
            [
                name.value.clone(),
                or(&name.format, UNSPECIFIED),
                or(&name.name_qualifier, idp.as_str()),
                or(&name.sp_name_qualifier, sp.as_str()),
            ]
        };
        parts(self) == parts(other)
    }

    /// Whether the value is good for one session only, and so never names a person.
    pub fn is_transient(&self) -> bool {
        self.format.as_deref() == Some(TRANSIENT)
    }

    fn parts(&self) -> [Option<&str>; 5] {
        [
            Some(self.value.as_str()),
            self.format.as_deref(),
            self.name_qualifier.as_deref(),
            self.sp_name_qualifier.as_deref(),
            self.sp_provided_id.as_deref(),
        ]
    }
}

/// Personal data stays out of logs.
impl fmt::Debug for NameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameId").field("format", &self.format).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::xml::{Limits, parse};

    fn written(name_id: &NameId) -> String {
        let mut writer = Writer::new();
        writer.open("t", &[("xmlns:saml", ns::SAML)]);
        name_id.write(&mut writer);
        writer.close();
        writer.finish().unwrap()
    }

    fn read(xml: &str) -> Result<NameId, NameIdError> {
        let document = parse(xml.as_bytes(), &Limits::MESSAGE).unwrap();
        NameId::read(document.root().required(ns::SAML, "NameID")?)
    }

    fn with(value: &str, attributes: [Option<&str>; 4]) -> NameId {
        let [format, name_qualifier, sp_name_qualifier, sp_provided_id] =
            attributes.map(|text| text.map(str::to_owned));
        let value = value.to_owned();
        NameId { value, format, name_qualifier, sp_name_qualifier, sp_provided_id }
    }

    #[test]
    fn every_combination_of_absent_empty_and_present_attributes_survives() {
        let mut hashes = HashSet::new();
        let mut documents = HashSet::new();
        let choices = [None, Some(""), Some("x")];
        for index in 0..81_usize {
            let pick = |place: u32| choices[index / 3_usize.pow(place) % 3];
            let name_id = with("ada", [pick(0), pick(1), pick(2), pick(3)]);
            assert_eq!(read(&written(&name_id)).unwrap(), name_id);
            let alone = name_id.to_xml().unwrap();
            assert_eq!(read(&format!("<t>{alone}</t>")).unwrap(), name_id);
            assert!(hashes.insert(name_id.canonical_bytes()));
            assert!(documents.insert(written(&name_id)));
            let json = serde_json::to_string(&name_id).unwrap();
            assert_eq!(serde_json::from_str::<NameId>(&json).unwrap(), name_id);
        }
    }

    #[test]
    fn a_value_cannot_write_markup() {
        for value in [
            "a</saml:NameID><saml:SessionIndex>x</saml:SessionIndex>",
            "<!-- -->&amp;\"'",
            " leading and trailing ",
            "tab\tand\nbreak\rand ]]> end",
        ] {
            let name_id = with(value, [Some("f\"><x/>"), Some("a\nb\tc\rd"), None, Some("'&<")]);
            assert_eq!(read(&written(&name_id)).unwrap(), name_id, "{value:?}");
        }
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        assert_ne!(
            with("ab", [Some("c"), None, None, None]).canonical_bytes(),
            with("a", [Some("bc"), None, None, None]).canonical_bytes()
        );
        assert_ne!(
            with("a", [Some("b"), None, None, None]).canonical_bytes(),
            with("a", [None, Some("b"), None, None]).canonical_bytes()
        );
    }

    #[test]
    fn a_comment_does_not_cut_the_value_and_markup_in_it_is_refused() {
        let around = |inner: &str| {
            format!(r#"<t xmlns:saml="{}"><saml:NameID>{inner}</saml:NameID></t>"#, ns::SAML)
        };
        assert_eq!(read(&around("admin<!-- x -->.evil")).unwrap().value, "admin.evil");
        assert!(matches!(read(&around("admin<x/>")), Err(NameIdError::Shape(_))));
        assert_eq!(read(&around(" \n ")), Err(NameIdError::Empty));
        let nil = |value: &str| {
            let nil = format!("<saml:NameID xmlns:i='{}' i:nil='{value}'>", ns::XSI);
            read(&around("admin").replace("<saml:NameID>", &nil)).map(|found| found.value)
        };
        assert_eq!((nil("true"), nil("1")), (Err(NameIdError::Empty), Err(NameIdError::Empty)));
        assert_eq!(nil("false").as_deref(), Ok("admin"));
        assert!(read(&around(&"a".repeat(MAX_BYTES))).is_ok());
        assert_eq!(read(&around(&"a".repeat(MAX_BYTES + 1))), Err(NameIdError::TooLong));
    }

    #[test]
    fn a_qualifier_that_is_absent_is_that_of_the_context_and_another_is_another() {
        let entity = |id| EntityId::parse(id).unwrap();
        let (idp, sp) = (entity("https://idp.test"), entity("https://sp.test"));
        for format in [None, Some(PERSISTENT), Some(TRANSIENT), Some(EMAIL_ADDRESS)] {
            let bare = with("ada", [format, None, None, None]);
            let same = |other: [Option<&str>; 4]| {
                let other = with("ada", other);
                let named = bare.names_same(&other, &idp, &sp);
                assert_eq!(other.names_same(&bare, &idp, &sp), named);
                named
            };
            assert!(same([format, Some(idp.as_str()), None, None]), "{format:?}");
            assert!(same([format, None, Some(sp.as_str()), Some("4711")]), "{format:?}");
            assert!(!same([format, Some("https://another.test"), None, None]), "{format:?}");
            assert!(!same([format, None, Some("https://another.test"), None]), "{format:?}");
            assert!(!same([format, Some(""), None, None]), "empty is not absent: {format:?}");
            assert!(!same([Some("urn:x"), None, None, None]), "{format:?}");
        }
        let (bare, spelled) =
            (with("ada", [None; 4]), with("ada", [Some(UNSPECIFIED), None, None, None]));
        assert!(bare.names_same(&spelled, &idp, &sp));
        assert!(!bare.names_same(&with("Ada", [None; 4]), &idp, &sp));
    }

    #[test]
    fn only_the_transient_format_is_transient_and_debug_hides_the_value() {
        let transient = with("secret", [Some(TRANSIENT), None, None, None]);
        assert!(transient.is_transient());
        assert!(!with("x", [Some(PERSISTENT), None, None, None]).is_transient());
        assert!(!with("x", [None; 4]).is_transient());
        assert!(!format!("{transient:?}").contains("secret"));
    }
}
