//! The queries with which apps and browsers come.

use super::installation::{ISSUER, SECRET, app};
use super::wish::Prompt;
use crate::secret::Token;

pub(super) fn callback(number: usize) -> String {
    format!("https://app-{number}.test/callback")
}

pub(super) fn authorize_query(number: usize, idp: usize, prompt: Prompt) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("client_id", app(number).as_str());
    query.append_pair("response_type", "code").append_pair("scope", "openid");
    query.append_pair("redirect_uri", &callback(number)).append_pair("state", "s");
    query.append_pair("nonce", "n");
    match prompt {
        Prompt::None => query.append_pair("prompt", "none"),
        Prompt::Login => query.append_pair("prompt", "login"),
        Prompt::Absent => &mut query,
    };
    if prompt != Prompt::None {
        query.append_pair("idp", super::installation::idp(idp).as_str());
    }
    query.finish()
}

pub(super) fn token_query(number: usize, code: &Token) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("grant_type", "authorization_code").append_pair("code", code.expose());
    query.append_pair("redirect_uri", &callback(number));
    query.append_pair("client_id", app(number).as_str()).append_pair("client_secret", SECRET);
    query.finish()
}

/// The part of a URL of ours after the issuer.
pub(super) fn our_path(url: &str) -> Option<&str> {
    url.strip_prefix(ISSUER)
}
