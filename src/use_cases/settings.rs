use std::time::Duration;

use crate::connection::MaxValidity;
use crate::oidc::{AllowedLogoutUrl, Issuer, LogoutScope};
use crate::paths;
use crate::saml::EntityId;
use crate::session::Lifetime;

/// What this installation has settled, checked and ready to use.
#[derive(Clone, Debug)]
pub struct Settings {
    pub issuer: Issuer,
    /// Our SAML entity ID; the URL of our metadata unless configured.
    pub saml_entity_id: EntityId,
    /// By how much an IdP's clock may differ from ours.
    pub clock_skew: Duration,
    /// Whether an Assertion must be encrypted, for IdPs with no setting of their own.
    pub require_encryption: bool,
    /// How far ahead the `validUntil` of metadata may be, for IdPs with no setting of their own.
    pub metadata_max_validity: MaxValidity,
    pub session: Lifetime,
    /// Whether apps hear of a session that expired.
    pub notify_on_expiry: bool,
    pub code_lifetime: Duration,
    pub access_token_lifetime: Duration,
    pub id_token_lifetime: Duration,
    /// After which a logout is answered, whoever has not come back.
    pub logout_deadline: Duration,
    /// How long the browser waits for apps to be told, counted from the start of the logout.
    pub logout_wait: Duration,
    /// The ceiling for `/v2/logout` without `client_id`.
    pub logout_scope: LogoutScope,
    /// Where `/v2/logout` without `client_id` may return to.
    pub allowed_logout_urls: Vec<AllowedLogoutUrl>,
}

/// How long an AuthnRequest waits for its Response, and a question for its answer.
pub const REQUEST_LIFETIME: Duration = Duration::from_secs(600);

impl Settings {
    pub fn acs_url(&self) -> String {
        self.issuer.url(paths::SAML_ACS)
    }

    /// Where IdPs send LogoutResponses and LogoutRequests.
    pub fn slo_url(&self) -> String {
        self.issuer.url(paths::SAML_LOGOUT)
    }

    /// Where IdPs send LogoutRequests by SOAP.
    pub fn slo_soap_url(&self) -> String {
        self.issuer.url(paths::SAML_LOGOUT_SOAP)
    }

    pub fn logout_page_url(&self, handle: &str) -> String {
        self.issuer.url(&format!("{}/{handle}", paths::LOGOUT_PAGE))
    }
}
