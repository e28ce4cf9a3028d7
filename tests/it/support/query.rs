//! Small changes to requests: one parameter more, less or other.

use serde_json::Value;
use sloop::paths;
use url::Url;

use super::browser::Browser;
use super::rp::{Attempt, RelyingParty};
use super::wire;
use super::world::World;

/// The URL with this parameter instead of any of that name.
pub fn with(url: &Url, name: &str, value: &str) -> Url {
    let mut url = without(url, name);
    url.query_pairs_mut().append_pair(name, value);
    url
}

pub fn without(url: &Url, name: &str) -> Url {
    let kept: Vec<_> = url.query_pairs().filter(|(key, _)| key != name).collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(kept);
    changed
}

/// The URL with this parameter beside those it has.
pub fn and(url: &Url, name: &str, value: &str) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().append_pair(name, value);
    url
}

/// The one value of a parameter. Panics when it stands twice.
pub fn value(url: &Url, name: &str) -> Option<String> {
    let mut values = url.query_pairs().filter(|(key, _)| key == name);
    let value = values.next().map(|(_, value)| value.into_owned());
    assert!(values.next().is_none(), "{name} stands twice in {url}");
    value
}

pub fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A code for an app, of whoever is signed in with this browser: nobody is asked.
pub async fn silent_code(browser: &mut Browser, app: &RelyingParty) -> (Attempt, String) {
    let attempt = app.begin(&[("prompt", "none")]).await;
    let page = browser.get(attempt.url.as_str()).await;
    let location = page.location().unwrap_or_else(|| panic!("{}", page.summary()));
    let code = value(&location, "code").unwrap_or_else(|| panic!("{location}"));
    (attempt, code)
}

/// The fields of an honest token request of a client that names itself in the form.
pub fn token_fields<'a>(
    app: &'a RelyingParty,
    attempt: &'a Attempt,
    code: &'a str,
    redirect_uri: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", redirect_uri),
        ("code_verifier", attempt.verifier.as_str()),
        ("client_id", app.client_id.as_str()),
    ];
    fields.extend(app.client_secret.as_deref().map(|secret| ("client_secret", secret)));
    fields
}

/// A request to the token endpoint.
pub async fn token(world: &World, headers: &[(&str, &str)], fields: &[(&str, &str)]) -> Answer {
    let mut headers = headers.to_vec();
    headers.push(("content-type", "application/x-www-form-urlencoded"));
    Answer(world.request("POST", paths::TOKEN, &headers, &form(fields)).await)
}

/// An answer of the token endpoint.
pub struct Answer(pub wire::Response);

impl Answer {
    /// Status and error, which is empty where there is none.
    pub fn outcome(&self) -> (u16, String) {
        let error = self.0.json()["error"].as_str().unwrap_or_default().to_owned();
        (self.0.status, error)
    }

    pub fn json(&self) -> Value {
        self.0.json()
    }
}
