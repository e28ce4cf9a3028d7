//! From an IdP's attributes to OpenID Connect claims, and from scopes to the claims they release.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::scope::{Scope, Scopes};

/// Claims that say something about us or the session. No attribute ever sets them: an IdP could
/// otherwise make one person look like another.
const RESERVED: [&str; 25] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "idp",
    "events",
    "typ",
    "cnf",
    "act",
    "may_act",
    "client_id",
    "scope",
    "sub_jwk",
];

/// Attribute names as IdPs write them (LDAP OIDs, Microsoft's claim URIs, friendly names) with the
/// claim each becomes. For one claim the first attribute that has a value wins.
const DEFAULT_MAP: &[(&str, &str)] = &[
    ("urn:oid:0.9.2342.19200300.100.1.3", "email"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "email"),
    ("mail", "email"),
    ("email", "email"),
    ("emailAddress", "email"),
    ("User.email", "email"),
    ("urn:oid:2.5.4.42", "given_name"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "given_name"),
    ("givenName", "given_name"),
    ("given_name", "given_name"),
    ("firstName", "given_name"),
    ("first_name", "given_name"),
    ("User.FirstName", "given_name"),
    ("urn:oid:2.5.4.4", "family_name"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "family_name"),
    ("sn", "family_name"),
    ("surname", "family_name"),
    ("family_name", "family_name"),
    ("lastName", "family_name"),
    ("last_name", "family_name"),
    ("User.LastName", "family_name"),
    ("urn:oid:2.16.840.1.113730.3.1.241", "name"),
    ("http://schemas.microsoft.com/identity/claims/displayname", "name"),
    ("displayName", "name"),
    ("urn:oid:2.5.4.3", "name"),
    ("cn", "name"),
    ("name", "name"),
    ("urn:oid:0.9.2342.19200300.100.1.1", "preferred_username"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "preferred_username"),
    // In Entra this one holds the user principal name, not a name for people.
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name", "preferred_username"),
    ("urn:oid:1.3.6.1.4.1.5923.1.1.1.6", "preferred_username"),
    ("uid", "preferred_username"),
    ("username", "preferred_username"),
    ("preferred_username", "preferred_username"),
    ("eduPersonPrincipalName", "preferred_username"),
    ("urn:oid:2.16.840.1.113730.3.1.39", "locale"),
    ("preferredLanguage", "locale"),
    ("locale", "locale"),
    ("nickname", "nickname"),
    ("zoneinfo", "zoneinfo"),
    ("urn:oid:2.5.4.20", "phone_number"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/mobilephone", "phone_number"),
    ("telephoneNumber", "phone_number"),
    ("phone_number", "phone_number"),
    ("urn:oid:2.5.4.16", "address.formatted"),
    ("postalAddress", "address.formatted"),
    ("urn:oid:2.5.4.9", "address.street_address"),
    (
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/streetaddress",
        "address.street_address",
    ),
    ("urn:oid:2.5.4.7", "address.locality"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/locality", "address.locality"),
    ("urn:oid:2.5.4.17", "address.postal_code"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/postalcode", "address.postal_code"),
    ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/country", "address.country"),
];

/// The claims of each scope (OpenID Connect Core 5.4).
const PROFILE: [&str; 14] = [
    "name",
    "family_name",
    "given_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "updated_at",
];
const EMAIL: [&str; 2] = ["email", "email_verified"];
const PHONE: [&str; 2] = ["phone_number", "phone_number_verified"];
/// The members of `address` (OpenID Connect Core 5.1.1).
const ADDRESS: [&str; 6] =
    ["formatted", "street_address", "locality", "region", "postal_code", "country"];

/// Which attribute of one IdP becomes which claim.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClaimMap {
    /// Looked at before the default map, in the order of the attribute names.
    overrides: BTreeMap<String, Target>,
}

/// Where a value goes.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Target {
    /// The first value.
    Single(String),
    /// All values as an array, however many there are.
    Array(String),
    /// A member of `address`.
    Address(String),
}

impl ClaimMap {
    /// A map of attribute names to claims that goes before the default one. A claim written
    /// `groups[]` gets all values as an array, any other the first value; `address.country` and its
    /// siblings go into `address`. An attribute that is named here is not looked up elsewhere.
    pub fn with_overrides(overrides: BTreeMap<String, String>) -> Result<Self, ClaimMapError> {
        let parse = |(attribute, claim): (String, String)| Ok((attribute, Target::parse(&claim)?));
        Ok(Self { overrides: overrides.into_iter().map(parse).collect::<Result<_, _>>()? })
    }

    /// The claims that these attributes (name and values) make. Attributes without a claim are left
    /// out, and so are empty values: a claim without a value does not exist (Core 5.3.2).
    pub fn claims(&self, attributes: &[(String, Vec<String>)]) -> Map<String, Value> {
        let mut claims = Map::new();
        for (name, target) in &self.overrides {
            for (_, values) in attributes.iter().filter(|(other, _)| other == name) {
                target.put(values, &mut claims);
            }
        }
        for (name, claim) in DEFAULT_MAP {
            let named = attributes.iter().filter(|(other, _)| {
                other.eq_ignore_ascii_case(name) && !self.overrides.contains_key(other)
            });
            for (_, values) in named {
                Target::known(claim).put(values, &mut claims);
            }
        }
        claims
    }
}

impl Target {
    fn parse(claim: &str) -> Result<Self, ClaimMapError> {
        let error = |claim: &str| ClaimMapError::Malformed { claim: claim.to_owned() };
        let name = claim.strip_suffix("[]").unwrap_or(claim);
        if RESERVED.contains(&name) {
            return Err(ClaimMapError::Reserved { claim: name.to_owned() });
        }
        if let Some(member) = name.strip_prefix("address.") {
            return match ADDRESS.contains(&member) && name == claim {
                true => Ok(Self::Address(member.to_owned())),
                false => Err(error(claim)),
            };
        }
        let plain =
            !name.is_empty() && name.len() <= 128 && name.bytes().all(|c| c.is_ascii_graphic());
        // These have a type of their own in the standard, and an array is none of them.
        let standard = ["address"].iter().chain(&PROFILE).chain(&EMAIL).chain(&PHONE);
        let is_standard = standard.into_iter().any(|other| *other == name);
        match (plain, name == claim, is_standard) {
            (false, ..) | (_, false, true) => Err(error(claim)),
            (true, true, _) if name == "address" => Err(error(claim)),
            (true, true, _) => Ok(Self::Single(name.to_owned())),
            (true, false, false) => Ok(Self::Array(name.to_owned())),
        }
    }

    fn known(claim: &str) -> Self {
        match claim.strip_prefix("address.") {
            Some(member) => Self::Address(member.to_owned()),
            None => Self::Single(claim.to_owned()),
        }
    }

    /// Sets the claim if it is not set yet.
    fn put(&self, values: &[String], claims: &mut Map<String, Value>) {
        let mut values = values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
        match self {
            Self::Single(name) if !claims.contains_key(name) => {
                if let Some(value) = values.next().and_then(|value| typed(name, value)) {
                    claims.insert(name.clone(), value);
                }
            }
            Self::Array(name) if !claims.contains_key(name) => {
                let values: Vec<_> = values.map(Value::from).collect();
                if !values.is_empty() {
                    claims.insert(name.clone(), Value::Array(values));
                }
            }
            Self::Address(member) => {
                let Some(value) = values.next() else { return };
                let address = claims.entry("address").or_insert_with(|| Value::Object(Map::new()));
                if let Some(address) = address.as_object_mut() {
                    address.entry(member.as_str()).or_insert_with(|| Value::from(value));
                }
            }
            Self::Single(_) | Self::Array(_) => {}
        }
    }
}

/// The claims that these scopes release. Claims of an installation's own go with `profile`.
pub fn released(claims: &Map<String, Value>, scopes: &Scopes) -> Map<String, Value> {
    let wanted = |name: &str| scopes.contains(scope_of(name)) && !RESERVED.contains(&name);
    claims
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// The claims about a person that the default map can give, for discovery.
pub fn supported() -> Vec<&'static str> {
    let mut names: Vec<_> =
        DEFAULT_MAP.iter().map(|(_, claim)| claim.split('.').next().unwrap_or(claim)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Why a claim map cannot be used. The operator is at fault.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ClaimMapError {
    #[error("claim {claim:?} is set by this service and cannot come from an attribute")]
    Reserved { claim: String },
    #[error("{claim:?} is no target; write NAME, NAME[] for a list, or address.country")]
    Malformed { claim: String },
}

fn scope_of(claim: &str) -> Scope {
    match claim {
        "address" => Scope::Address,
        _ if EMAIL.contains(&claim) => Scope::Email,
        _ if PHONE.contains(&claim) => Scope::Phone,
        _ => Scope::Profile,
    }
}

/// The value in the claim's type (OpenID Connect Core 5.1); one that does not fit is left out.
fn typed(claim: &str, value: &str) -> Option<Value> {
    match claim {
        "email_verified" | "phone_number_verified" => match value {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        "updated_at" => value.parse::<i64>().ok().map(Value::from),
        _ => Some(Value::from(value)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attributes(pairs: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let owned = |values: &[&str]| values.iter().map(|&value| value.to_owned()).collect();
        pairs.iter().map(|(name, values)| ((*name).to_owned(), owned(values))).collect()
    }

    fn map(overrides: &[(&str, &str)]) -> Result<ClaimMap, ClaimMapError> {
        let owned = overrides.iter().map(|(a, c)| ((*a).to_owned(), (*c).to_owned()));
        ClaimMap::with_overrides(owned.collect())
    }

    #[test]
    fn the_three_ways_to_name_attributes_give_the_same_claims() {
        let expected = json!({"email": "a@example.com", "given_name": "Ada", "family_name": "L"});
        let ms = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/";
        for names in [
            ["urn:oid:0.9.2342.19200300.100.1.3", "urn:oid:2.5.4.42", "urn:oid:2.5.4.4"]
                .map(str::to_owned),
            ["emailaddress", "givenname", "surname"].map(|name| format!("{ms}{name}")),
            ["mail", "givenName", "sn"].map(str::to_owned),
            ["Email", "FIRSTNAME", "lastname"].map(str::to_owned),
        ] {
            let [email, given, family] = names.each_ref().map(String::as_str);
            let attributes =
                attributes(&[(email, &["a@example.com"]), (given, &["Ada"]), (family, &["L"])]);
            let claims = ClaimMap::default().claims(&attributes);
            assert_eq!(Value::Object(claims), expected, "{names:?}");
        }
    }

    #[test]
    fn empty_unknown_and_further_values_make_no_claim() {
        let attributes = attributes(&[
            ("mail", &["", " ", "first@example.com", "second@example.com"]),
            ("email", &["third@example.com"]),
            ("sn", &[]),
            ("cn", &[""]),
            ("memberOf", &["admins"]),
        ]);
        let claims = ClaimMap::default().claims(&attributes);
        assert_eq!(Value::Object(claims), json!({"email": "first@example.com"}));
    }

    #[test]
    fn address_is_put_together() {
        let attributes = attributes(&[("urn:oid:2.5.4.7", &["Ulm"]), ("postalAddress", &["A 1"])]);
        let claims = ClaimMap::default().claims(&attributes);
        let expected = json!({"address": {"locality": "Ulm", "formatted": "A 1"}});
        assert_eq!(Value::Object(claims), expected);
    }

    #[test]
    fn overrides_go_first_and_lists_stay_lists() {
        let map = map(&[
            ("memberOf", "groups[]"),
            ("dept", "department"),
            ("workMail", "email"),
            ("sn", "nickname"),
            ("checked", "email_verified"),
        ])
        .unwrap();
        let attributes = attributes(&[
            ("mail", &["private@example.com"]),
            ("workMail", &["work@example.com"]),
            ("memberOf", &["admins"]),
            ("dept", &["a", "b"]),
            ("sn", &["L"]),
            ("checked", &["true"]),
        ]);
        assert_eq!(
            Value::Object(map.claims(&attributes)),
            json!({"email": "work@example.com", "groups": ["admins"], "department": "a",
                   "nickname": "L", "email_verified": true})
        );
    }

    #[test]
    fn reserved_claims_never_come_from_attributes() {
        for claim in RESERVED {
            for written in [claim.to_owned(), format!("{claim}[]")] {
                let error = ClaimMapError::Reserved { claim: claim.to_owned() };
                assert_eq!(map(&[("x", &written)]), Err(error));
            }
        }
        let named: Vec<_> = RESERVED.iter().map(|name| (*name, &["evil"][..])).collect();
        assert!(ClaimMap::default().claims(&attributes(&named)).is_empty());
        for odd in ["", "[]", "a b", "email[]", "address", "address.x", "address.country[]"] {
            assert!(matches!(map(&[("x", odd)]), Err(ClaimMapError::Malformed { .. })), "{odd}");
        }
    }

    #[test]
    fn each_scope_releases_its_own_claims() {
        let every = PROFILE.iter().chain(&EMAIL).chain(&PHONE).chain(&["address", "own", "sub"]);
        let claims: Map<_, _> = every.map(|name| ((*name).to_owned(), Value::from("x"))).collect();
        for (scopes, count) in [
            ("openid", 0),
            ("openid profile", 15),
            ("openid email", 2),
            ("openid phone", 2),
            ("openid address", 1),
            ("openid profile email phone address", 20),
        ] {
            assert_eq!(released(&claims, &Scopes::parse(scopes)).len(), count, "{scopes}");
        }
        let email = released(&claims, &Scopes::parse("openid email"));
        assert_eq!(email.keys().collect::<Vec<_>>(), ["email", "email_verified"]);
    }

    #[test]
    fn the_default_map_leads_to_standard_claims_only() {
        for name in supported() {
            let known = PROFILE.contains(&name)
                || EMAIL.contains(&name)
                || PHONE.contains(&name)
                || name == "address";
            assert!(known, "{name}");
        }
        for (_, claim) in DEFAULT_MAP {
            assert_eq!(Target::parse(claim), Ok(Target::known(claim)));
        }
    }
}
