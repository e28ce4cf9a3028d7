//! IdPs as their products behave at logout: what is played here stands in a manual or in a public report,
//! which each story names. What nobody has written down is not played.

mod entra;
mod exact_name;
mod keycloak;
mod logout_url;
mod okta;
mod ping_federate;
mod simplesamlphp;

use sloop::saml::NameId;

/// A NameID that is a value and nothing else.
fn bare(value: &str) -> NameId {
    NameId {
        value: value.to_owned(),
        format: None,
        name_qualifier: None,
        sp_name_qualifier: None,
        sp_provided_id: None,
    }
}
