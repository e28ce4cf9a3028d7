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
    /// `fallback = local`, and there is no logout URL, or no SessionIndex where one is asked for.
    Configured,
    /// The IdP offers nothing that a browser could be sent to.
    NoEndpoint,
}

impl Rung {
    /// The highest rung that this IdP session can stand on.
    pub fn choose(connection: Option<&Connection>, signed_in: &SignedIn) -> Self {
        let Some(connection) = connection else {
            return Self::Local { why: WhyLocal::NoConnection };
        };
        let settings = &connection.settings;
        let named = signed_in.name_id.is_some();
        let precise = !signed_in.session_indexes.is_empty()
            || settings.without_session_index == WithoutSessionIndex::NameIdOnly;
        if named && precise {
            let offered = &connection.metadata.single_logout;
            if let Some((binding, location)) = browser_endpoint(offered, settings.slo_binding) {
                return Self::SingleLogout { binding, location };
            }
        }
        match &settings.fallback {
            Fallback::Url(location) => Self::Url { location: location.clone() },
            Fallback::Local => Self::Local { why: WhyLocal::Configured },
            Fallback::LoginUrl if !named => Self::Local { why: WhyLocal::NoNameId },
            Fallback::LoginUrl => {
                let offered = &connection.metadata.single_sign_on;
                match browser_endpoint(offered, settings.sso_binding) {
                    Some((binding, location)) => Self::LoginUrl { binding, location },
                    None => Self::Local { why: WhyLocal::NoEndpoint },
                }
            }
        }
    }

    /// Rungs that are sure to bring the person back come first.
    pub(super) fn order(&self) -> u8 {
        match self {
            Self::SingleLogout { .. } => 0,
            Self::LoginUrl { .. } => 1,
            Self::Url { .. } => 2,
            Self::Local { .. } => 3,
        }
    }
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
