//! The URLs that others build on. They are fixed: apps, IdPs and scripts call them.

pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
pub const OAUTH_AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
pub const JWKS: &str = "/jwks.json";

pub const AUTHORIZE: &str = "/connect/authorize";
pub const TOKEN: &str = "/connect/token";
pub const USERINFO: &str = "/connect/userinfo";
pub const END_SESSION: &str = "/connect/endsession";
pub const END_SESSION_ALIASES: [&str; 3] =
    ["/connect/end_session", "/oidc/logout", "/openid_connect/logout"];
pub const V2_LOGOUT: &str = "/v2/logout";
/// Followed by `/` and the handle of one logout.
pub const LOGOUT_PAGE: &str = "/connect/logout";
/// A signed statement of what became of a logout, for its apps.
pub const LOGOUT_RECEIPT: &str = "/connect/logout_receipt";

pub const SAML_METADATA: &str = "/saml/metadata";
pub const SAML_ACS: &str = "/saml/acs";
pub const SAML_ACS_CONTINUE: &str = "/saml/acs/continue";
/// SAML single logout.
pub const SAML_LOGOUT: &str = "/logout";
pub const SAML_LOGOUT_SOAP: &str = "/logout/soap";

pub const API_IDENTITY_PROVIDERS: &str = "/api/v1/identity-providers";
pub const API_CLIENTS: &str = "/api/v1/clients";
pub const API_SESSIONS: &str = "/api/v1/sessions";
/// A person is signed out of everything.
pub const API_SIGN_OUT: &str = "/api/v1/sign-out";
pub const API_LOGOUTS: &str = "/api/v1/logouts";

pub const HEALTHZ: &str = "/healthz";
pub const READYZ: &str = "/readyz";
pub const STYLE: &str = "/assets/style.css";
