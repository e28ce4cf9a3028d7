//! `/v2/logout`: a logout request in the manner of Auth0.

use crate::id::ClientId;
use crate::language::Language;

use super::error::{RequestError, bounded};
use super::params::Params;
use super::redirect_uri::MAX_URI_BYTES;

/// The parameters of `GET /v2/logout`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct V2LogoutRequest {
    /// Where the person wants to go; not checked yet.
    pub return_to: Option<String>,
    pub client_id: Option<ClientId>,
    /// Whether the IdP sessions are to end too: `federated` is there and is not `false`.
    pub federated: bool,
    /// Of `ui_locales`, if we have one of them.
    pub language: Option<Language>,
}

impl V2LogoutRequest {
    pub fn parse(params: &Params) -> Result<Self, RequestError> {
        let client_id = params
            .single("client_id")?
            .map(|id| id.parse().map_err(|_| RequestError::Invalid { name: "client_id" }))
            .transpose()?;
        Ok(Self {
            return_to: bounded("returnTo", params.single("returnTo")?, MAX_URI_BYTES)?,
            client_id,
            federated: params.flag("federated")?.is_some_and(|value| value != "false"),
            // A hint, and not one of Auth0's: nothing about it is an error.
            language: params.single("ui_locales").ok().flatten().and_then(Language::of_locales),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn federated_counts_by_its_presence() {
        let federated = |raw: &str| {
            V2LogoutRequest::parse(&Params::parse(raw).unwrap()).map(|request| request.federated)
        };
        for raw in ["federated", "federated=", "federated=true", "federated=1", "a=b&federated"] {
            assert_eq!(federated(raw), Ok(true), "{raw}");
        }
        for raw in ["", "federated=false", "Federated"] {
            assert_eq!(federated(raw), Ok(false), "{raw}");
        }
        assert!(matches!(federated("federated&federated"), Err(RequestError::Repeated(_))));
    }

    #[test]
    fn reads_and_refuses_the_other_parameters() {
        let parse = |raw: &str| V2LogoutRequest::parse(&Params::parse(raw).unwrap());
        let request = parse("returnTo=https%3A%2F%2Fa.example%2F%253A&client_id=app").unwrap();
        assert_eq!(request.return_to.as_deref(), Some("https://a.example/%3A"));
        assert_eq!(request.client_id, Some("app".parse().unwrap()));
        assert!(matches!(parse("returnTo=a&returnTo=a"), Err(RequestError::Repeated(_))));
        assert_eq!(parse("client_id=a%20b"), Err(RequestError::Invalid { name: "client_id" }));
        let long = format!("returnTo={}", "x".repeat(MAX_URI_BYTES + 1));
        assert!(matches!(parse(&long), Err(RequestError::TooLong { .. })));
    }
}
