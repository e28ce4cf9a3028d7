use std::collections::HashMap;
use std::fmt;

use super::response::Rejection;
use crate::xml::{Element, ns};

/// What the IdP says of the person. Values of several elements with one Name and NameFormat are
/// joined in order.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    pub name: String,
    pub name_format: Option<String>,
    /// For people to read; never to be matched by itself.
    pub friendly_name: Option<String>,
    /// Plain text values. Values that are markup or `xsi:nil` are left out.
    pub values: Vec<String>,
}

/// Personal data stays out of logs.
impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attribute").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Reads every AttributeStatement of an Assertion (SAML Core 2.7.3).
pub(super) fn read(assertion: Element<'_>) -> Result<Vec<Attribute>, Rejection> {
    let mut attributes: Vec<Attribute> = Vec::new();
    let mut places: HashMap<(&str, Option<&str>), usize> = HashMap::new();
    for statement in assertion.children(ns::SAML, "AttributeStatement") {
        if statement.children(ns::SAML, "EncryptedAttribute").next().is_some() {
            return Err(Rejection::Encrypted("Attribute"));
        }
        for attribute in statement.children(ns::SAML, "Attribute") {
            let name = attribute.required_attribute("Name")?;
            let name_format = attribute.attribute("NameFormat");
            let values = attribute.children(ns::SAML, "AttributeValue").filter_map(read_value);
            let place = *places.entry((name, name_format)).or_insert(attributes.len());
            match attributes.get_mut(place) {
                Some(known) => known.values.extend(values),
                None => attributes.push(Attribute {
                    name: name.to_owned(),
                    name_format: name_format.map(str::to_owned),
                    friendly_name: attribute.attribute("FriendlyName").map(str::to_owned),
                    values: values.collect(),
                }),
            }
        }
    }
    Ok(attributes)
}

fn read_value(value: Element<'_>) -> Option<String> {
    match value.attribute_ns(ns::XSI, "nil") {
        Some("true" | "1") => None,
        _ => value.plain_text().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::fixture::changed;
    use crate::saml::message::MessageError;

    #[test]
    fn attributes_are_joined_by_name_and_format() {
        let end = "</saml:AttributeStatement>";
        let value = |text: &str| format!("<saml:AttributeValue>{text}</saml:AttributeValue>");
        let attribute = |name: &str, values: &str| {
            format!(r#"<saml:Attribute {name}>{values}</saml:Attribute>"#)
        };
        let more = [
            attribute(r#"Name="mail""#, &format!("{}{}", value("second"), value(" third "))),
            attribute(r#"Name="mail" NameFormat="urn:n""#, &value("")),
            attribute(r#"Name="odd""#, &value("<x>markup</x>")),
            attribute(
                r#"Name="nil""#,
                &format!(r#"<saml:AttributeValue xmlns:i="{}" i:nil="true"/>"#, ns::XSI),
            ),
        ]
        .concat();
        let login = changed(end, &format!("{more}{end}")).unwrap();
        let read: Vec<_> = login
            .attributes
            .iter()
            .map(|a| (a.name.as_str(), a.name_format.as_deref(), a.values.join("|")))
            .collect();
        assert_eq!(
            read,
            [
                ("mail", None, "ada@example.com|second| third ".into()),
                ("mail", Some("urn:n"), String::new()),
                ("odd", None, String::new()),
                ("nil", None, String::new()),
            ]
        );
        assert_eq!(
            changed(end, &format!("<saml:EncryptedAttribute/>{end}")),
            Err(Rejection::Encrypted("Attribute"))
        );
        assert!(matches!(
            changed(end, &format!("<saml:Attribute/>{end}")),
            Err(Rejection::Message(MessageError::Shape(_)))
        ));
    }
}
