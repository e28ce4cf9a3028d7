//! The admin REST API, as a script of an administrator sees it.

mod access;
mod at_rest;
mod clients;
mod identity_providers;
mod sessions;

use serde_json::Value;

use crate::support::wire::Response;

/// The body of an answer that must be a problem (RFC 9457) of this status and code.
fn problem(response: &Response, status: u16, code: &str) -> Value {
    assert_eq!(response.status, status, "{}", response.body);
    assert_eq!(response.header("content-type"), Some("application/problem+json"));
    let problem = response.json();
    assert_eq!(problem["status"], status);
    assert_eq!(problem["code"], code, "{problem}");
    for member in ["type", "title", "detail", "hint"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    problem
}

/// The ids of a listing.
fn ids(response: &Response) -> Vec<String> {
    assert_eq!(response.status, 200, "{}", response.body);
    let listing = response.json();
    let items = listing["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}
