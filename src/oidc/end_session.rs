//! The logout request of an app (RP-Initiated Logout 1.0 2).

use crate::id::ClientId;
use crate::language::Language;

use super::authorize::MAX_STATE_BYTES;
use super::error::{RequestError, bounded};
use super::params::Params;
use super::redirect_uri::MAX_URI_BYTES;

/// Longest `logout_hint`, in bytes. A longer one is left out: hints never cause an error.
const MAX_HINT_BYTES: usize = 512;

/// The parameters of an end-session request. Nothing in it is proved yet.
#[derive(Clone, PartialEq, Eq)]
pub struct EndSessionRequest {
    /// As it came; see [`super::IdTokenHint`]. A bad one is no error, it only proves nothing.
    pub id_token_hint: Option<String>,
    pub client_id: Option<ClientId>,
    /// Not checked against any client yet.
    pub post_logout_redirect_uri: Option<String>,
    pub state: Option<String>,
    pub logout_hint: Option<String>,
    /// Of `ui_locales`, if we have one of them.
    pub language: Option<Language>,
}

impl EndSessionRequest {
    /// Reads the query of a GET or the form of a POST.
    pub fn parse(params: &Params) -> Result<Self, RequestError> {
        let client_id = params
            .single("client_id")?
            .map(|id| id.parse().map_err(|_| RequestError::Invalid { name: "client_id" }))
            .transpose()?;
        let uri = params.single("post_logout_redirect_uri")?;
        let logout_hint = params.single("logout_hint")?;
        Ok(Self {
            id_token_hint: params.single("id_token_hint")?.map(str::to_owned),
            client_id,
            post_logout_redirect_uri: bounded("post_logout_redirect_uri", uri, MAX_URI_BYTES)?,
            state: bounded("state", params.single("state")?, MAX_STATE_BYTES)?,
            logout_hint: logout_hint.filter(|h| h.len() <= MAX_HINT_BYTES).map(str::to_owned),
            language: params.single("ui_locales")?.and_then(Language::of_locales),
        })
    }
}

/// Without the values that must not reach a log.
impl std::fmt::Debug for EndSessionRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndSessionRequest")
            .field("has_id_token_hint", &self.id_token_hint.is_some())
            .field("client_id", &self.client_id)
            .field("post_logout_redirect_uri", &self.post_logout_redirect_uri)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(raw: &str) -> Result<EndSessionRequest, RequestError> {
        EndSessionRequest::parse(&Params::parse(raw).unwrap())
    }

    #[test]
    fn reads_all_parameters_and_decodes_them_once() {
        let request = parse(
            "id_token_hint=a.b.c&client_id=app&post_logout_redirect_uri=https%3A%2F%2Fa%2F%253A\
             &state=a%2Bb&logout_hint=u&ui_locales=fr-CA+fr+%3Cen%3E&x=1",
        )
        .unwrap();
        assert_eq!(request.id_token_hint.as_deref(), Some("a.b.c"));
        assert_eq!(request.client_id, Some("app".parse().unwrap()));
        assert_eq!(request.post_logout_redirect_uri.as_deref(), Some("https://a/%3A"));
        assert_eq!(request.state.as_deref(), Some("a+b"));
        assert_eq!(request.logout_hint.as_deref(), Some("u"));
        assert_eq!(request.language, Some(Language::Fr));
    }

    #[test]
    fn nothing_is_required_and_hints_are_never_errors() {
        let request = parse("").unwrap();
        assert_eq!((request.id_token_hint, request.client_id), (None, None));
        let long = "x".repeat(20_000);
        let hints = format!("id_token_hint={long}&logout_hint={long}&ui_locales={long}");
        let request = parse(&hints).unwrap();
        assert_eq!((request.id_token_hint, request.language), (Some(long), None));
        assert_eq!(request.logout_hint, None);
    }

    #[test]
    fn refuses_repeated_overlong_and_impossible_parameters() {
        for name in [
            "id_token_hint",
            "client_id",
            "post_logout_redirect_uri",
            "state",
            "logout_hint",
            "ui_locales",
        ] {
            let error = parse(&format!("{name}=a&{name}=a")).unwrap_err();
            assert_eq!(error.code(), "parameter_repeated", "{name}");
        }
        for (name, max) in [("state", MAX_STATE_BYTES), ("post_logout_redirect_uri", MAX_URI_BYTES)]
        {
            assert!(parse(&format!("{name}={}", "x".repeat(max))).is_ok());
            let error = parse(&format!("{name}={}", "x".repeat(max + 1))).unwrap_err();
            assert_eq!(error, RequestError::TooLong { name, max });
        }
        assert_eq!(parse("client_id=%0a").unwrap_err().code(), "parameter_invalid");
    }

    #[test]
    fn hints_and_states_do_not_reach_a_log() {
        let request = parse("id_token_hint=s3cret&state=s3cret&logout_hint=s3cret").unwrap();
        assert!(!format!("{request:?}").contains("s3cret"));
    }
}
