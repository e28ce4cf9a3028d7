//! How an IdP is asked to log a person out: an explicit ladder, chosen per IdP and kept with the leg.

use serde::{Deserialize, Serialize};

use crate::connection::{BrowserBinding, Connection, Fallback, WithoutSessionIndex};
use crate::saml::{Binding, Endpoint};
use crate::session::SignedIn;

/// One way to ask.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "rung", rename_all = "snake_case")]
pub enum Rung {
    /// A signed LogoutRequest to the IdP's SingleLogoutService (SAML Profiles 4.4.3.1).
    SingleLogout { binding: BrowserBinding, location: String },
    /// The same request, from us to the IdP without a browser (SAML Bindings 3.2).
    Soap { location: String },
    /// The same for an IdP that ends a logout on a page of its own: it is told that nobody waits for an
    /// answer, and nobody does (Asynchronous Single Logout 2.1).
    AsynchronousLogout { binding: BrowserBinding, location: String },
    /// There is no logout URL: the LogoutRequest goes to the login URL. Whether the IdP understands
    /// it there is its own affair, so without an answer nothing is proven.
    LoginUrl { binding: BrowserBinding, location: String },
    /// The browser visits a URL that the administrator named.
    Url { location: String },
    /// The IdP is not asked.
    Local { why: WhyLocal },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyLocal {
    /// The connection was removed or disabled, or its metadata cannot be used any more.
    NoConnection,
    /// The IdP asserted no NameID, and a LogoutRequest needs one (SAML Core 3.7.1).
    NoNameId,
    /// `fallback = local`, and there is no logout URL.
    Configured,
    /// `fallback = local`, and there was no SessionIndex where one is asked for.
    NoSessionIndex,
    /// The IdP offers nothing that a browser could be sent to.
    NoEndpoint,
    /// No browser is there, and this IdP can only be asked through one.
    NoBrowser,
    /// `single_logout = false` and `fallback = local`.
    SwitchedOff,
    /// The NameID is to be encrypted, and the IdP's metadata has no key for that.
    NoEncryptionKey,
    /// What it asserted cannot be read any more.
    Unreadable,
}

/// Who can carry a message to the IdP, or show an app's frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// The person's browser is here.
    Browser,
    /// An administrator or a clock ends the session: only we can carry it.
    Nobody,
}

impl Rung {
    /// The highest rung that this IdP session can stand on. A browser goes first where there is one
    /// (SAML Profiles 4.4.3.1): the IdP's own cookies then say whose session it is.
    pub fn choose(
        connection: Option<&Connection>,
        signed_in: &SignedIn,
        presence: Presence,
    ) -> Self {
        let Some(connection) = connection else {
            return Self::Local { why: WhyLocal::NoConnection };
        };
        let settings = &connection.settings;
        let named = signed_in.name_id.is_some();
        // In the clear it is not to go, so without a key for it nothing goes that holds it.
        let sealable = connection.recipient().is_ok();
        let precise = !signed_in.session_indexes.is_empty()
            || settings.without_session_index == WithoutSessionIndex::NameIdOnly;
        let offered = connection.logout_endpoints();
        if named && precise && sealable {
            let asynchronous = settings.asynchronous_logout;
            let by_browser = match asynchronous {
                true => asynchronous_endpoint(offered, settings.slo_binding),
                false => browser_endpoint(offered, settings.slo_binding),
            };
            match (presence, by_browser, soap_endpoint(offered)) {
                (Presence::Browser, Some((binding, location)), _) => {
                    return match asynchronous {
                        true => Self::AsynchronousLogout { binding, location },
                        false => Self::SingleLogout { binding, location },
                    };
                }
                (_, _, Some(location)) => return Self::Soap { location },
                (Presence::Nobody, Some(_), None) => return Self::without_browser(),
                (_, None, None) => {}
            }
        }
        match &settings.fallback {
            Fallback::Url(_) if presence == Presence::Nobody => Self::without_browser(),
            Fallback::Url(location) => Self::Url { location: location.clone() },
            Fallback::Local if settings.single_logout == Some(false) => {
                Self::Local { why: WhyLocal::SwitchedOff }
            }
            _ if named && !sealable => Self::Local { why: WhyLocal::NoEncryptionKey },
            Fallback::Local if named && !precise && !offered.is_empty() => {
                Self::Local { why: WhyLocal::NoSessionIndex }
            }
            Fallback::Local => Self::Local { why: WhyLocal::Configured },
            Fallback::LoginUrl if !named => Self::Local { why: WhyLocal::NoNameId },
            Fallback::LoginUrl => {
                let offered = &connection.metadata.single_sign_on;
                match browser_endpoint(offered, settings.sso_binding) {
                    Some(_) if presence == Presence::Nobody => Self::without_browser(),
                    Some((binding, location)) => Self::LoginUrl { binding, location },
                    None => Self::Local { why: WhyLocal::NoEndpoint },
                }
            }
        }
    }

    fn without_browser() -> Self {
        Self::Local { why: WhyLocal::NoBrowser }
    }

    /// Rungs that are sure to bring the person back come first.
    pub(super) fn order(&self) -> u8 {
        match self {
            Self::SingleLogout { .. } => 0,
            Self::Soap { .. } => 1,
            Self::LoginUrl { .. } => 2,
            Self::AsynchronousLogout { .. } => 3,
            Self::Url { .. } => 4,
            Self::Local { .. } => 5,
        }
    }
}

/// As [`browser_endpoint`], but one that says that it understands requests which want no answer comes
/// first (Asynchronous Single Logout 2.3).
fn asynchronous_endpoint(
    offered: &[Endpoint],
    preferred: Option<BrowserBinding>,
) -> Option<(BrowserBinding, String)> {
    let able: Vec<_> = offered.iter().filter(|endpoint| endpoint.asynchronous).cloned().collect();
    browser_endpoint(&able, preferred).or_else(|| browser_endpoint(offered, preferred))
}

/// The endpoint to use: the preferred binding if it is offered, else Redirect, else POST
/// (Redirect is the default of saml2int, SDP-SP02 and SDP-SP25).
pub fn browser_endpoint(
    offered: &[Endpoint],
    preferred: Option<BrowserBinding>,
) -> Option<(BrowserBinding, String)> {
    let order = match preferred {
        Some(BrowserBinding::Post) => [BrowserBinding::Post, BrowserBinding::Redirect],
        _ => [BrowserBinding::Redirect, BrowserBinding::Post],
    };
    order.into_iter().find_map(|binding| {
        let endpoint =
            offered.iter().find(|endpoint| endpoint.binding == Binding::from(binding))?;
        Some((binding, endpoint.location.clone()))
    })
}

/// Where the IdP takes messages without a browser.
fn soap_endpoint(offered: &[Endpoint]) -> Option<String> {
    let endpoint = offered.iter().find(|endpoint| endpoint.binding == Binding::Soap)?;
    Some(endpoint.location.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::connection::{IdpSettings, MaxValidity};
    use crate::saml::{IdpMetadata, NameId, NoRecipient, Recipient, SessionIndex};

    /// `offers` are the bindings of its SingleLogoutService.
    fn connection(offers: &[Binding], settings: IdpSettings) -> Connection {
        let sample = include_bytes!("../../metadata/samples/google.xml");
        let now = Timestamp::from_seconds(1_795_000_000);
        let id = "corp".parse().unwrap();
        let mut connection =
            Connection::parse(id, settings, sample, MaxValidity::Unlimited, now).unwrap();
        let endpoint =
            |binding: &Binding| Endpoint::new(*binding, format!("https://idp.test/{binding:?}"));
        connection.metadata.single_logout = offers.iter().map(endpoint).collect();
        connection.metadata.single_sign_on =
            vec![Endpoint::new(Binding::Redirect, "https://idp.test/sso")];
        connection
    }

    /// A key that another sample has.
    fn recipient() -> Result<Recipient, NoRecipient> {
        let sample = include_bytes!("../../metadata/samples/adfs.xml");
        let now = Timestamp::from_seconds(1_795_000_000);
        IdpMetadata::parse(sample, None, now).unwrap().recipient
    }

    fn asserted(name: bool, index: bool) -> SignedIn {
        SignedIn {
            name_id: name.then(|| NameId {
                value: "ada".to_owned(),
                format: None,
                name_qualifier: None,
                sp_name_qualifier: None,
                sp_provided_id: None,
            }),
            session_indexes: index
                .then(|| SessionIndex::parse("one").unwrap())
                .into_iter()
                .collect(),
            authn_instant: Timestamp::from_seconds(0),
            authn_context: None,
            session_not_on_or_after: None,
            claims: serde_json::Map::new(),
        }
    }

    /// What is chosen with a browser, and without.
    fn both(connection: &Connection, signed_in: &SignedIn) -> [String; 2] {
        [Presence::Browser, Presence::Nobody].map(|presence| {
            match Rung::choose(Some(connection), signed_in, presence) {
                Rung::SingleLogout { binding, location } => format!("{binding:?} {location}"),
                Rung::AsynchronousLogout { binding, location } => {
                    format!("{binding:?} without an answer {location}")
                }
                Rung::Soap { location } => format!("SOAP {location}"),
                Rung::LoginUrl { location, .. } => format!("login {location}"),
                Rung::Url { location } => format!("url {location}"),
                Rung::Local { why } => format!("{why:?}"),
            }
        })
    }

    #[test]
    fn whoever_has_no_browser_asks_by_soap_even_an_idp_that_is_not_waited_for() {
        let settings = IdpSettings { asynchronous_logout: true, ..IdpSettings::default() };
        let offers = [Binding::Redirect, Binding::Soap];
        let chosen = both(&connection(&offers, settings.clone()), &asserted(true, true));
        let by_redirect = "Redirect without an answer https://idp.test/Redirect";
        assert_eq!(chosen, [by_redirect, "SOAP https://idp.test/Soap"]);
        let mut able = connection(&[Binding::Redirect, Binding::Post], settings);
        able.metadata.single_logout[1].asynchronous = true;
        let chosen = both(&able, &asserted(true, true));
        assert_eq!(chosen, ["Post without an answer https://idp.test/Post", "NoBrowser"]);
    }

    #[test]
    fn soap_is_for_whoever_has_no_browser_and_for_idps_that_offer_nothing_else() {
        use Binding::{Post, Redirect, Soap};
        let whole = asserted(true, true);
        for (offers, chosen) in [
            (
                &[Redirect, Post, Soap][..],
                ["Redirect https://idp.test/Redirect", "SOAP https://idp.test/Soap"],
            ),
            (&[Soap, Post], ["Post https://idp.test/Post", "SOAP https://idp.test/Soap"]),
            (&[Soap], ["SOAP https://idp.test/Soap", "SOAP https://idp.test/Soap"]),
            (&[Redirect], ["Redirect https://idp.test/Redirect", "NoBrowser"]),
            (&[], ["login https://idp.test/sso", "NoBrowser"]),
        ] {
            let connection = connection(offers, IdpSettings::default());
            assert_eq!(both(&connection, &whole), chosen, "{offers:?}");
        }
    }

    #[test]
    fn what_must_not_go_in_the_clear_does_not_go_without_a_key() {
        use Binding::{Redirect, Soap};
        let settings =
            |fallback| IdpSettings { encrypt_name_id: true, fallback, ..IdpSettings::default() };
        let whole = asserted(true, true);
        let url = Fallback::Url("https://idp.test/bye".to_owned());
        for (fallback, chosen) in [
            (Fallback::LoginUrl, ["NoEncryptionKey", "NoEncryptionKey"]),
            (Fallback::Local, ["NoEncryptionKey", "NoEncryptionKey"]),
            // It goes without a message.
            (url, ["url https://idp.test/bye", "NoBrowser"]),
        ] {
            let mut connection = connection(&[Redirect, Soap], settings(fallback));
            connection.metadata.recipient = recipient();
            let by_redirect = ["Redirect https://idp.test/Redirect", "SOAP https://idp.test/Soap"];
            assert_eq!(both(&connection, &whole), by_redirect, "with a key");
            connection.metadata.recipient = Err(NoRecipient::NoKey);
            assert_eq!(both(&connection, &whole), chosen);
            assert_ne!(both(&connection, &asserted(false, true))[0], "NoEncryptionKey");
            connection.settings.encrypt_name_id = false;
            assert_eq!(both(&connection, &whole), by_redirect);
        }
    }

    #[test]
    fn single_logout_that_is_off_is_as_if_there_were_none() {
        use Binding::{Post, Redirect, Soap};
        let off = |fallback| IdpSettings {
            single_logout: Some(false),
            fallback,
            ..IdpSettings::default()
        };
        let whole = asserted(true, true);
        let url = Fallback::Url("https://idp.test/bye".to_owned());
        for (fallback, chosen) in [
            (Fallback::LoginUrl, ["login https://idp.test/sso", "NoBrowser"]),
            (url, ["url https://idp.test/bye", "NoBrowser"]),
            (Fallback::Local, ["SwitchedOff", "SwitchedOff"]),
        ] {
            let mut connection = connection(&[Redirect, Post, Soap], off(fallback));
            assert_eq!(both(&connection, &whole), chosen);
            connection.settings.asynchronous_logout = true;
            assert_eq!(both(&connection, &whole), chosen);
            connection.settings.single_logout = Some(true);
            let asked = both(&connection, &whole);
            assert_eq!(asked[1], "SOAP https://idp.test/Soap");
        }
    }

    #[test]
    fn without_a_browser_the_reason_is_the_one_that_counts() {
        let fallback = |fallback| IdpSettings { fallback, ..IdpSettings::default() };
        let url = Fallback::Url("https://idp.test/bye".to_owned());
        let whole = asserted(true, true);
        let bare = connection(&[], fallback(url));
        assert_eq!(both(&bare, &whole), ["url https://idp.test/bye", "NoBrowser"]);
        let local = connection(&[], fallback(Fallback::Local));
        assert_eq!(both(&local, &whole), ["Configured", "Configured"]);
        let redirect = connection(&[Binding::Redirect], fallback(Fallback::Local));
        assert_eq!(both(&redirect, &whole)[1], "NoBrowser");
        let soap = connection(&[Binding::Soap], IdpSettings::default());
        assert_eq!(both(&soap, &asserted(false, true)), ["NoNameId", "NoNameId"]);
        assert_eq!(both(&soap, &asserted(true, false))[1], "SOAP https://idp.test/Soap");
        let without_session_index = WithoutSessionIndex::NextRung;
        let precise = IdpSettings { without_session_index, ..IdpSettings::default() };
        let precise = connection(&[Binding::Soap], precise);
        assert_eq!(
            both(&precise, &asserted(true, false)),
            ["login https://idp.test/sso", "NoBrowser"]
        );
        let local = IdpSettings { fallback: Fallback::Local, ..precise.settings.clone() };
        let local = connection(&[Binding::Redirect], local);
        assert_eq!(both(&local, &asserted(true, false)), ["NoSessionIndex", "NoSessionIndex"]);
        let gone = Rung::choose(None, &whole, Presence::Nobody);
        assert_eq!(gone, Rung::Local { why: WhyLocal::NoConnection });
    }
}
