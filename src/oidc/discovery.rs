//! What clients learn about us by themselves (OpenID Connect Discovery 1.0 3, RFC 8414 2).

use serde_json::{Value, json};

use crate::keys::KeyAlgorithm;
use crate::paths;

use super::claims;
use super::issuer::Issuer;
use super::scope::Scope;

/// The claims that an ID token of ours may have.
const TOKEN_CLAIMS: [&str; 12] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "sid",
    "idp",
    "at_hash",
];

/// The document. It lists what works and nothing else. Members whose default is not what we do are
/// stated: without `request_uri_parameter_supported` a client would take it for true.
///
/// `algorithms` are those that ID tokens are signed with now.
pub fn document(issuer: &Issuer, algorithms: impl IntoIterator<Item = KeyAlgorithm>) -> Value {
    let algorithms: Vec<_> = algorithms.into_iter().map(KeyAlgorithm::as_str).collect();
    let claims: Vec<_> = TOKEN_CLAIMS.into_iter().chain(claims::supported()).collect();
    json!({
        "issuer": issuer.as_str(),
        "authorization_endpoint": issuer.url(paths::AUTHORIZE),
        "token_endpoint": issuer.url(paths::TOKEN),
        "userinfo_endpoint": issuer.url(paths::USERINFO),
        "end_session_endpoint": issuer.url(paths::END_SESSION),
        "jwks_uri": issuer.url(paths::JWKS),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": algorithms,
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": Scope::ALL.map(Scope::as_str),
        "claims_supported": claims,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        // Of our own, described in docs/api.md.
        "logout_receipt_endpoint": issuer.url(paths::LOGOUT_RECEIPT),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
    })
}

/// Where the RFC 8414 document of an issuer is found on its host. The well-known part stands before
/// the issuer's path (RFC 8414 3), where that of OpenID Connect stands after it.
pub fn authorization_server_path(issuer: &Issuer) -> String {
    format!("{}{}", paths::OAUTH_AUTHORIZATION_SERVER, issuer.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document_of(issuer: &str) -> Value {
        document(&Issuer::parse(issuer).unwrap(), KeyAlgorithm::ALL)
    }

    #[test]
    fn has_the_required_members_and_no_empty_list() {
        let document = document_of("https://login.example.com/t1");
        for member in ["issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"] {
            assert!(document[member].is_string(), "{member}");
        }
        for member in [
            "response_types_supported",
            "subject_types_supported",
            "id_token_signing_alg_values_supported",
        ] {
            assert!(document[member].is_array(), "{member}");
        }
        for (name, value) in document.as_object().unwrap() {
            assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
            if name.ends_with("_endpoint") || name.ends_with("_uri") {
                let url = value.as_str().unwrap();
                assert!(url.starts_with("https://login.example.com/t1/"), "{name}");
            }
        }
        assert!(
            document["id_token_signing_alg_values_supported"]
                .as_array()
                .unwrap()
                .contains(&json!("RS256"))
        );
        assert_eq!(document["issuer"], "https://login.example.com/t1");
    }

    #[test]
    fn states_what_differs_from_the_defaults() {
        let document = document_of("https://login.example.com");
        assert_eq!(document["grant_types_supported"], json!(["authorization_code"]));
        assert_eq!(document["response_modes_supported"], json!(["query"]));
        assert_eq!(document["request_uri_parameter_supported"], false);
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        for member in [
            "backchannel_logout_supported",
            "backchannel_logout_session_supported",
            "frontchannel_logout_supported",
            "frontchannel_logout_session_supported",
            "authorization_response_iss_parameter_supported",
        ] {
            assert_eq!(document[member], true, "{member}");
        }
    }

    #[test]
    fn lists_nothing_that_is_not_there() {
        let document = document_of("https://login.example.com");
        for member in [
            "registration_endpoint",
            "introspection_endpoint",
            "revocation_endpoint",
            "device_authorization_endpoint",
            "pushed_authorization_request_endpoint",
            "check_session_iframe",
        ] {
            assert!(document.get(member).is_none(), "{member}");
        }
    }

    #[test]
    fn the_rfc_8414_path_stands_before_the_issuers_path() {
        let path = |issuer: &str| authorization_server_path(&Issuer::parse(issuer).unwrap());
        assert_eq!(path("https://h.example/t1"), "/.well-known/oauth-authorization-server/t1");
        assert_eq!(path("https://h.example"), "/.well-known/oauth-authorization-server");
    }
}
